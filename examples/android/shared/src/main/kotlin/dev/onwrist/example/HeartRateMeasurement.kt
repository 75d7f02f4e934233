// A notification of Bluetooth's heart rate service in, beats per minute out.
//
// The characteristic is 0x2A37 of the service 0x180D, as the Bluetooth SIG's Heart Rate
// Service 1.0 lays it out.
package dev.onwrist.example

import java.util.UUID

/**
 * One measurement.
 *
 * @property contact whether the sensor touches the skin; null if it cannot tell.
 * @property intervals from beat to beat, in seconds.
 */
data class HeartRateMeasurement(
    val beatsPerMinute: Int,
    val contact: Boolean?,
    val intervals: List<Double>,
) {
    /** Whether it is a pulse: sensors send 0 until they have found one. */
    val isPulse: Boolean get() = contact != false && beatsPerMinute in 25..250

    companion object {
        val SERVICE: UUID = UUID.fromString("0000180d-0000-1000-8000-00805f9b34fb")
        val CHARACTERISTIC: UUID = UUID.fromString("00002a37-0000-1000-8000-00805f9b34fb")
        val CONFIGURATION: UUID = UUID.fromString("00002902-0000-1000-8000-00805f9b34fb")

        private const val WIDE = 0x01
        private const val CONTACT = 0x02
        private const val CONTACT_KNOWN = 0x04
        private const val ENERGY = 0x08
        private const val INTERVALS = 0x10

        /** What the bytes say; null if they are fewer than their flags ask for. */
        fun of(bytes: ByteArray): HeartRateMeasurement? {
            if (bytes.isEmpty()) return null
            val flags = bytes[0].toInt()
            val wide = flags and WIDE != 0
            val energy = if (flags and ENERGY != 0) 2 else 0
            val begin = (if (wide) 3 else 2) + energy
            if (bytes.size < begin) return null
            fun wideAt(at: Int): Int =
                (bytes[at].toInt() and 0xff) or ((bytes[at + 1].toInt() and 0xff) shl 8)
            val intervals = if (flags and INTERVALS == 0) emptyList() else
                (begin..bytes.size - 2 step 2).map { wideAt(it) / 1024.0 }
            return HeartRateMeasurement(
                if (wide) wideAt(1) else bytes[1].toInt() and 0xff,
                if (flags and CONTACT_KNOWN == 0) null else flags and CONTACT != 0,
                intervals,
            )
        }
    }
}
