package androidx.lifecycle

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.MainScope

interface LifecycleOwner

val LifecycleOwner.lifecycleScope: CoroutineScope get() = MainScope()
