// Readings of the clocks of a device in; out, local time for stamps that count from its boot.
//
// Sensors of Android stamp their events by nanoseconds since boot (elapsedRealtimeNanos),
// which go on while the device sleeps and never jump. The wall clock does both: the network or
// its owner sets it. So the two are read together once, and that anchor is kept: what is
// converted by it is as steady as the stamps. A stream must not go on over a new anchor.
package dev.onwrist.example

import kotlin.math.abs

/**
 * The clocks of a device, read at one moment.
 *
 * @property boots how often it has been started: Settings.Global.BOOT_COUNT.
 * @property bootNanos SystemClock.elapsedRealtimeNanos().
 * @property epochMillis System.currentTimeMillis().
 * @property offset seconds that local time is ahead of UTC.
 */
data class Reading(val boots: Int, val bootNanos: Long, val epochMillis: Long, val offset: Int)

/** What became of the clocks since the anchor was taken. */
enum class Change { NONE, BOOT, WALL_CLOCK, ZONE }

/** What to keep, such as in the preferences, so that an app that was ended goes on alike. */
data class Anchor(val boots: Int, val nanos: Long, val offset: Int)

/** Local time by an anchor; made by [BootClock.at], or of an [Anchor] that was kept. */
class BootClock(anchor: Anchor) {
    var anchor: Anchor = anchor
        private set

    /**
     * Hold the anchor against the clocks as they are; a new one is taken if it no longer holds.
     *
     * A wall clock that is off the anchor by up to 20 s has not been set: quartz runs away by a
     * second or two a day, and networks put it right. For days of minutes that is nothing.
     */
    fun observe(now: Reading): Change {
        val off = nanosOf(now) - anchor.nanos
        val change = when {
            now.boots != anchor.boots -> Change.BOOT
            abs(off) > TOLERANCE -> Change.WALL_CLOCK
            now.offset != anchor.offset -> Change.ZONE
            else -> Change.NONE
        }
        if (change != Change.NONE) anchor = anchorOf(now)
        return change
    }

    /** Unix time in seconds. */
    fun epoch(bootNanos: Long): Double = (bootNanos + anchor.nanos) / 1e9

    /** Local time in seconds, whose days begin at multiples of 86400. */
    fun local(bootNanos: Long): Double = epoch(bootNanos) + anchor.offset

    companion object {
        private const val TOLERANCE = 20_000_000_000L // nanoseconds

        fun at(now: Reading): BootClock = BootClock(anchorOf(now))

        private fun anchorOf(now: Reading) = Anchor(now.boots, nanosOf(now), now.offset)

        private fun nanosOf(now: Reading): Long = now.epochMillis * 1_000_000 - now.bootNanos
    }
}
