package com.samsung.android.service.health.tracking

import android.content.Context
import com.samsung.android.service.health.tracking.data.DataPoint
import com.samsung.android.service.health.tracking.data.HealthTrackerType
import com.samsung.android.service.health.tracking.data.PpgType

class HealthTrackerException : Exception()

interface ConnectionListener {
    fun onConnectionSuccess()
    fun onConnectionEnded()
    fun onConnectionFailed(error: HealthTrackerException)
}

class HealthTrackerCapability(val supportHealthTrackerTypes: List<HealthTrackerType>)

class HealthTracker {
    enum class TrackerError { PERMISSION_ERROR, SDK_POLICY_ERROR }

    interface TrackerEventListener {
        fun onDataReceived(points: List<DataPoint>)
        fun onFlushCompleted()
        fun onError(error: TrackerError)
    }

    fun setEventListener(listener: TrackerEventListener): Unit = TODO("$listener")
    fun unsetEventListener(): Unit = TODO()
}

class HealthTrackingService(val listener: ConnectionListener, val context: Context) {
    val trackingCapability: HealthTrackerCapability get() = TODO()
    fun connectService(): Unit = TODO()
    fun disconnectService(): Unit = TODO()
    fun getHealthTracker(type: HealthTrackerType): HealthTracker = TODO("$type")
    fun getHealthTracker(type: HealthTrackerType, kinds: Set<PpgType>): HealthTracker = TODO("$type $kinds")
}
