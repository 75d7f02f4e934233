// Where predictions are computed: one thread beside the main one.
package dev.onwrist.example

import java.util.concurrent.ExecutorService
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.ThreadPoolExecutor
import java.util.concurrent.TimeUnit

/** Work in order; what sensors still send once it was shut down is dropped. */
fun worker(): ExecutorService = ThreadPoolExecutor(
    1, 1, 0, TimeUnit.SECONDS, LinkedBlockingQueue(), ThreadPoolExecutor.DiscardPolicy(),
)
