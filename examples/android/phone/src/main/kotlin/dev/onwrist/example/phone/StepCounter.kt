// The step counter of the phone in, counts between two of its events out.
package dev.onwrist.example.phone

import android.content.Context
import android.hardware.Sensor
import android.hardware.SensorEvent
import android.hardware.SensorEventListener
import android.hardware.SensorManager

/**
 * Steps of a phone that is carried.
 *
 * @param counted steps from one time to another, both in nanoseconds since boot, which is what
 *   every sensor of Android stamps its events with.
 */
class StepCounter(
    context: Context,
    private val counted: (Long, Long, Long) -> Unit,
) : SensorEventListener {
    private val manager = context.getSystemService(SensorManager::class.java)
    private var since: Long? = null
    private var total = 0L

    /** Whether there is such a sensor, and the permission ACTIVITY_RECOGNITION is granted. */
    fun start(): Boolean {
        val sensor = manager.getDefaultSensor(Sensor.TYPE_STEP_COUNTER) ?: return false
        return manager.registerListener(this, sensor, SensorManager.SENSOR_DELAY_NORMAL)
    }

    fun stop() = manager.unregisterListener(this)

    override fun onSensorChanged(event: SensorEvent) {
        // The counter runs from the boot on; the first event tells where it stands.
        val count = event.values[0].toLong()
        since?.let { counted(it, event.timestamp, count - total) }
        since = event.timestamp
        total = count
    }

    override fun onAccuracyChanged(sensor: Sensor?, accuracy: Int) = Unit
}
