// Heart rate and steps from Health Services in, predictions of day-lsm2 out.
package dev.onwrist.example.watch

import android.content.Context
import androidx.health.services.client.HealthServices
import androidx.health.services.client.PassiveListenerCallback
import androidx.health.services.client.data.DataPointContainer
import androidx.health.services.client.data.DataType
import androidx.health.services.client.data.PassiveListenerConfig
import dev.onwrist.Model
import dev.onwrist.OnwristError
import dev.onwrist.Prediction
import dev.onwrist.Stream
import dev.onwrist.example.BootClock
import dev.onwrist.example.Change
import dev.onwrist.example.Reading
import dev.onwrist.example.Samples
import dev.onwrist.example.Steps
import dev.onwrist.example.stepSamples
import java.util.concurrent.ExecutorService

/**
 * A day of minutes on local time.
 *
 * @param read the clocks of the watch.
 * @param work where predictions are computed: not the main thread.
 */
class DayMonitor(
    context: Context,
    model: Model,
    private val read: () -> Reading,
    private val work: ExecutorService,
    private val show: (Prediction) -> Unit,
    private val tell: (String) -> Unit,
) : PassiveListenerCallback {
    private val client = HealthServices.getClient(context).passiveMonitoringClient
    private val clock = BootClock.at(read())
    // Passive data come in batches, the longer apart the longer the watch is not looked at.
    private val stream: Stream = model.stream(lateness = 2 * 3600.0)

    fun start() {
        val types = setOf(DataType.HEART_RATE_BPM, DataType.STEPS)
        val config = PassiveListenerConfig.builder().setDataTypes(types).build()
        client.setPassiveListenerCallback(config, this)
    }

    fun stop() {
        client.clearPassiveListenerCallbackAsync()
    }

    override fun onNewDataPointsReceived(dataPoints: DataPointContainer) {
        val heart = dataPoints.getData(DataType.HEART_RATE_BPM).filter { it.value in 25.0..250.0 }
        val steps = dataPoints.getData(DataType.STEPS)
        work.execute {
            val change = clock.observe(read())
            if (change != Change.NONE) {
                tell("the clock has changed ($change): the day begins anew")
                stream.reset()
            }
            // Stamps count from the boot of the watch, as its sensors' do.
            val beats = Samples.of(
                heart.map { clock.local(it.timeDurationFromBoot.toNanos()) to it.value.toFloat() },
            )
            val counts = steps.map {
                val start = clock.local(it.startDurationFromBoot.toNanos())
                Steps(start, clock.local(it.endDurationFromBoot.toNanos()), it.value)
            }
            val walked = stepSamples(counts, beats.times)
            try {
                stream.push("heart_rate", beats.times, beats.values).forEach(show)
                stream.push("steps", walked.times, walked.values).forEach(show)
            } catch (error: OnwristError) {
                tell(error.message.orEmpty())
            }
        }
    }
}
