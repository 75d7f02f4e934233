package androidx.activity

import android.content.Context
import android.os.Bundle
import android.view.View
import android.view.Window
import androidx.activity.result.ActivityResultLauncher
import androidx.activity.result.contract.ActivityResultContract
import androidx.lifecycle.LifecycleOwner

open class ComponentActivity : Context(), LifecycleOwner {
    val window: Window get() = Window()
    val isDestroyed: Boolean get() = false
    protected open fun onCreate(savedInstanceState: Bundle?) {}
    protected open fun onDestroy() {}
    fun setContentView(view: View): Unit = TODO("$view")
    fun runOnUiThread(work: Runnable): Unit = TODO("$work")
    fun <I, O> registerForActivityResult(
        contract: ActivityResultContract<I, O>, callback: (O) -> Unit,
    ): ActivityResultLauncher<I> = TODO("$contract $callback")
}
