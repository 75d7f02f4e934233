package android.os

import java.util.UUID

class Bundle

object Build {
    object VERSION {
        val SDK_INT: Int get() = 36
    }
}

object SystemClock {
    fun elapsedRealtimeNanos(): Long = System.nanoTime()
}

class Looper {
    companion object {
        fun getMainLooper(): Looper = Looper()
    }
}

class Handler(val looper: Looper) {
    fun post(work: Runnable): Boolean = TODO("$work on $looper")
}

class ParcelUuid(val uuid: UUID)
