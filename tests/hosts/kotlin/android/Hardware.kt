package android.hardware

class Sensor {
    companion object {
        const val TYPE_STEP_COUNTER = 19
    }
}

class SensorEvent(val values: FloatArray, val timestamp: Long)

interface SensorEventListener {
    fun onSensorChanged(event: SensorEvent)
    fun onAccuracyChanged(sensor: Sensor?, accuracy: Int)
}

class SensorManager {
    fun getDefaultSensor(type: Int): Sensor? = TODO("$type")
    fun registerListener(listener: SensorEventListener, sensor: Sensor, delay: Int): Boolean =
        TODO("$listener $sensor $delay")
    fun unregisterListener(listener: SensorEventListener): Unit = TODO("$listener")

    companion object {
        const val SENSOR_DELAY_NORMAL = 3
    }
}
