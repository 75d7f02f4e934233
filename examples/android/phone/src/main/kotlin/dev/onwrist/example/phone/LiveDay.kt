// What sensors measure now in, predictions of day-lsm2 on the last day out.
package dev.onwrist.example.phone

import dev.onwrist.Model
import dev.onwrist.OnwristError
import dev.onwrist.Prediction
import dev.onwrist.Signal
import dev.onwrist.bundles.DayLsm2
import dev.onwrist.example.BootClock
import dev.onwrist.example.Change
import dev.onwrist.example.HeartRateMeasurement
import dev.onwrist.example.Reading
import dev.onwrist.example.Samples
import dev.onwrist.example.Steps
import dev.onwrist.example.stepSamples
import java.util.concurrent.ExecutorService

/** A stream on local time, which stamps since boot are converted to by one clock. */
class LiveDay(
    model: Model,
    private val read: () -> Reading,
    private val work: ExecutorService,
    private val show: (Prediction) -> Unit,
    private val tell: (String) -> Unit,
) {
    private val clock = BootClock.at(read())
    private val stream = model.stream(lateness = 120.0)

    /** Begin with what is known of the last day, so that its hours are not missing. */
    fun begin(history: Map<String, Signal>) = attempt {
        if (history.isEmpty()) emptyList() else stream.pushRecording(history)
    }

    fun measured(bootNanos: Long, measurement: HeartRateMeasurement) = attempt {
        keepTime()
        val time = clock.local(bootNanos)
        val rate = if (measurement.isPulse) measurement.beatsPerMinute.toFloat() else Float.NaN
        val worn = if (rate.isNaN()) emptyList() else pushSteps(emptyList(), doubleArrayOf(time))
        worn + stream.push(DayLsm2.Channel.HEART_RATE.id, doubleArrayOf(time), floatArrayOf(rate))
    }

    fun walked(sinceNanos: Long, untilNanos: Long, count: Long) = attempt {
        keepTime()
        val steps = Steps(clock.local(sinceNanos), clock.local(untilNanos), count)
        pushSteps(listOf(steps), DoubleArray(0))
    }

    private fun pushSteps(steps: List<Steps>, heartTimes: DoubleArray): List<Prediction> {
        val samples: Samples = stepSamples(steps, heartTimes)
        return stream.push(DayLsm2.Channel.STEPS.id, samples.times, samples.values)
    }

    /** A day does not go on over a clock that was set, or in another zone. */
    private fun keepTime() {
        val change = clock.observe(read())
        if (change == Change.NONE) return
        tell("the clock has changed ($change): the day begins anew")
        stream.reset()
    }

    private fun attempt(push: () -> List<Prediction>) = work.execute {
        try {
            push().forEach(show)
        } catch (error: OnwristError) {
            tell(error.message.orEmpty())
        }
    }
}
