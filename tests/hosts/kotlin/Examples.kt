// What the Android example does beside its screens: clocks, Bluetooth's bytes, steps, light.
package dev.onwrist

import dev.onwrist.example.Anchor
import dev.onwrist.example.BootClock
import dev.onwrist.example.HeartRateMeasurement
import dev.onwrist.example.PulseFilter
import dev.onwrist.example.Reading
import dev.onwrist.example.Steps
import dev.onwrist.example.accelerationInG
import dev.onwrist.example.stepSamples

/** Cases of each part in, what the example makes of them out. */
internal fun examples(asked: Fields): Map<String, Any> = mapOf(
    "clocks" to asked.all("clocks").map(::clock),
    "measurements" to asked.texts("measurements").map(::measurement),
    "steps" to asked.all("steps").map(::steps),
    "light" to asked.all("light").map(::light),
    "acceleration" to asked.wholes("acceleration").map(::accelerationInG),
)

private fun reading(fields: Fields) = Reading(
    fields.whole("boots"),
    fields.text("boot_nanos").toLong(),
    fields.number("epoch_millis").toLong(),
    fields.whole("offset"),
)

/** Readings in order; after each the change, and the times that its own stamp is taken for. */
private fun clock(fields: Fields): List<Any> {
    val readings = fields.all("readings").map(::reading)
    var clock = BootClock.at(readings[0])
    return readings.map { now ->
        val change = clock.observe(now)
        // As after the app was ended, and began anew with the anchor that it kept.
        clock = BootClock(Anchor(clock.anchor.boots, clock.anchor.nanos, clock.anchor.offset))
        mapOf(
            "change" to change.name,
            "epoch" to clock.epoch(now.bootNanos),
            "local" to clock.local(now.bootNanos),
        )
    }
}

private fun measurement(hex: String): Any? {
    val bytes = ByteArray(hex.length / 2) { hex.substring(2 * it, 2 * it + 2).toInt(16).toByte() }
    return HeartRateMeasurement.of(bytes)?.let {
        mapOf(
            "bpm" to it.beatsPerMinute,
            "contact" to it.contact,
            "intervals" to it.intervals,
            "pulse" to it.isPulse,
        )
    }
}

private fun steps(fields: Fields): Any {
    val counts = fields.all("counts").map {
        Steps(it.number("start"), it.number("end"), it.number("count").toLong())
    }
    val samples = stepSamples(counts, fields.doubles("heart"))
    return mapOf("times" to samples.times, "values" to samples.values)
}

private fun light(fields: Fields): Any {
    val filter = PulseFilter()
    val times = fields.doubles("times")
    return fields.wholes("counts").mapIndexed { k, counts -> filter.of(times[k], counts) }
}
