package com.samsung.android.service.health.tracking.data

enum class HealthTrackerType { PPG_CONTINUOUS, ACCELEROMETER_CONTINUOUS }

enum class PpgType { GREEN, IR, RED }

class ValueKey<T> {
    object PpgSet {
        val PPG_GREEN = ValueKey<Int>()
    }

    object AccelerometerSet {
        val ACCELEROMETER_X = ValueKey<Int>()
        val ACCELEROMETER_Y = ValueKey<Int>()
        val ACCELEROMETER_Z = ValueKey<Int>()
    }
}

class DataPoint(val timestamp: Long) {
    fun <T> getValue(key: ValueKey<T>): T = TODO("$key")
}
