package android.widget

import android.content.Context
import android.view.View

open class TextView(context: Context) : View(context) {
    var text: CharSequence = ""
    fun append(more: CharSequence): Unit = TODO("$more")
}

class Button(context: Context) : TextView(context)

class LinearLayout(context: Context) : View(context) {
    var orientation = 0
    fun addView(view: View): Unit = TODO("$view")

    companion object {
        const val VERTICAL = 1
    }
}

class ScrollView(context: Context) : View(context) {
    fun addView(view: View): Unit = TODO("$view")
}
