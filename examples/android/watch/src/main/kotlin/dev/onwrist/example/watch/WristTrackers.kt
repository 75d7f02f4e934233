// Raw light and acceleration of a Galaxy Watch in, predictions of wrist-himae out.
package dev.onwrist.example.watch

import android.content.Context
import android.os.Handler
import android.os.Looper
import com.samsung.android.service.health.tracking.ConnectionListener
import com.samsung.android.service.health.tracking.HealthTracker
import com.samsung.android.service.health.tracking.HealthTrackerException
import com.samsung.android.service.health.tracking.HealthTrackingService
import com.samsung.android.service.health.tracking.data.DataPoint
import com.samsung.android.service.health.tracking.data.HealthTrackerType
import com.samsung.android.service.health.tracking.data.PpgType
import com.samsung.android.service.health.tracking.data.ValueKey
import dev.onwrist.Model
import dev.onwrist.OnwristError
import dev.onwrist.Prediction
import dev.onwrist.Stream
import dev.onwrist.example.GALAXY_RATE
import dev.onwrist.example.PulseFilter
import dev.onwrist.example.accelerationInG
import dev.onwrist.example.galaxySeconds
import java.util.concurrent.ExecutorService

/**
 * Both trackers, feeding one stream.
 *
 * @param work where predictions are computed: not the main thread.
 */
class WristTrackers(
    context: Context,
    model: Model,
    private val work: ExecutorService,
    private val show: (Prediction) -> Unit,
    private val tell: (String) -> Unit,
) : ConnectionListener {
    // While the screen is off both trackers come in bursts: what is this late still counts.
    private val stream: Stream = model.stream(
        lateness = 15.0,
        rates = mapOf("ppg" to GALAXY_RATE, "acc" to GALAXY_RATE),
    )
    private val filter = PulseFilter()
    private val service = HealthTrackingService(this, context)
    private val main = Handler(Looper.getMainLooper())
    private val trackers = ArrayList<HealthTracker>()

    fun start() = service.connectService()

    fun stop() {
        trackers.forEach { it.unsetEventListener() }
        trackers.clear()
        service.disconnectService()
    }

    override fun onConnectionSuccess() {
        val supported = service.trackingCapability.supportHealthTrackerTypes
        if (HealthTrackerType.PPG_CONTINUOUS in supported) {
            val green = setOf(PpgType.GREEN)
            val tracker = service.getHealthTracker(HealthTrackerType.PPG_CONTINUOUS, green)
            follow(tracker, "ppg") { point ->
                val time = galaxySeconds(point.timestamp)
                floatArrayOf(filter.of(time, point.getValue(ValueKey.PpgSet.PPG_GREEN)))
            }
        } else {
            tell("this watch gives no raw light")
        }
        if (HealthTrackerType.ACCELEROMETER_CONTINUOUS in supported) {
            val tracker = service.getHealthTracker(HealthTrackerType.ACCELEROMETER_CONTINUOUS)
            follow(tracker, "acc") { point ->
                floatArrayOf(
                    accelerationInG(point.getValue(ValueKey.AccelerometerSet.ACCELEROMETER_X)),
                    accelerationInG(point.getValue(ValueKey.AccelerometerSet.ACCELEROMETER_Y)),
                    accelerationInG(point.getValue(ValueKey.AccelerometerSet.ACCELEROMETER_Z)),
                )
            }
        }
    }

    override fun onConnectionEnded() = tell("the Health Platform ended the connection")

    override fun onConnectionFailed(error: HealthTrackerException) =
        tell("no connection to the Health Platform: update it, and turn on its developer mode")

    private fun follow(tracker: HealthTracker, sensor: String, sample: (DataPoint) -> FloatArray) {
        trackers.add(tracker)
        val listener = object : HealthTracker.TrackerEventListener {
            override fun onDataReceived(points: List<DataPoint>) = work.execute {
                val times = DoubleArray(points.size) { galaxySeconds(points[it].timestamp) }
                push(sensor, times, points.map(sample).flatMap { it.asList() }.toFloatArray())
            }

            override fun onFlushCompleted() = Unit

            override fun onError(error: HealthTracker.TrackerError) =
                tell("$sensor: ${error.name}; are the permissions granted?")
        }
        main.post { tracker.setEventListener(listener) }
    }

    private fun push(sensor: String, times: DoubleArray, samples: FloatArray) {
        try {
            stream.push(sensor, times, samples).forEach(show)
        } catch (error: OnwristError) {
            tell(error.message.orEmpty())
        }
    }
}
