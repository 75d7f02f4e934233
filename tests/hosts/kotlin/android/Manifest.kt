package android

@Suppress("ClassName")
object Manifest {
    object permission {
        const val BODY_SENSORS = "android.permission.BODY_SENSORS"
        const val ACTIVITY_RECOGNITION = "android.permission.ACTIVITY_RECOGNITION"
        const val BLUETOOTH_SCAN = "android.permission.BLUETOOTH_SCAN"
        const val BLUETOOTH_CONNECT = "android.permission.BLUETOOTH_CONNECT"
    }
}
