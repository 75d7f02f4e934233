package android.view

import android.content.Context

open class View(val context: Context) {
    fun setOnClickListener(listener: (View) -> Unit): Unit = TODO("$listener")
}

class Window {
    fun addFlags(flags: Int): Unit = TODO("$flags")
}

class WindowManager {
    class LayoutParams {
        companion object {
            const val FLAG_KEEP_SCREEN_ON = 128
        }
    }
}
