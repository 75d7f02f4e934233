// Records of Health Connect in, the signals of a recording for day-lsm2 out.
package dev.onwrist.example.phone

import androidx.health.connect.client.HealthConnectClient
import androidx.health.connect.client.records.HeartRateRecord
import androidx.health.connect.client.records.Record
import androidx.health.connect.client.records.StepsRecord
import androidx.health.connect.client.request.ReadRecordsRequest
import androidx.health.connect.client.time.TimeRangeFilter
import dev.onwrist.Signal
import dev.onwrist.bundles.DayLsm2
import dev.onwrist.example.Samples
import dev.onwrist.example.Steps
import dev.onwrist.example.stepSamples
import java.time.Instant
import java.time.ZoneId
import java.time.ZoneOffset
import kotlin.reflect.KClass

/** Heart rate and steps from one moment to another, on local time; empty if there are none. */
class HealthHistory(private val client: HealthConnectClient) {
    suspend fun read(since: Instant, until: Instant): Map<String, Signal> {
        val range = TimeRangeFilter.between(since, until)
        val heart = all(HeartRateRecord::class, range).groupBy(::app)
        val steps = all(StepsRecord::class, range).groupBy(::app)
        // Apps copy from each other: the one that measured most is taken, and its own steps.
        val worn = heart.maxByOrNull { (_, records) -> records.sumOf { it.samples.size } }
        val counted = steps[worn?.key]
            ?: steps.values.maxByOrNull { records -> records.sumOf { it.count } }.orEmpty()
        val beats = Samples.of(
            worn?.value.orEmpty().flatMap { record ->
                record.samples.filter { it.beatsPerMinute in 25..250 }
                    .map { local(it.time, record.startZoneOffset) to it.beatsPerMinute.toFloat() }
            },
        )
        val walked = stepSamples(
            counted.map {
                val start = local(it.startTime, it.startZoneOffset)
                Steps(start, start + seconds(it.endTime) - seconds(it.startTime), it.count)
            },
            beats.times,
        )
        return signals(DayLsm2.Channel.HEART_RATE, beats) + signals(DayLsm2.Channel.STEPS, walked)
    }

    private fun app(record: Record): String = record.metadata.dataOrigin.packageName

    private fun signals(channel: DayLsm2.Channel, samples: Samples): Map<String, Signal> =
        if (samples.times.isEmpty()) emptyMap() else
            mapOf(channel.id to Signal(samples.times, samples.values, channel.rate))

    private suspend fun <T : Record> all(type: KClass<T>, range: TimeRangeFilter): List<T> {
        val found = ArrayList<T>()
        var page: String? = null
        do {
            val response = client.readRecords(ReadRecordsRequest(type, range, pageToken = page))
            found += response.records
            page = response.pageToken
        } while (page != null)
        return found
    }

    /** Local time in seconds; the offset of a record is that of the place where it was made. */
    private fun local(time: Instant, offset: ZoneOffset?): Double =
        seconds(time) + (offset ?: ZoneId.systemDefault().rules.getOffset(time)).totalSeconds

    private fun seconds(time: Instant): Double = time.toEpochMilli() / 1000.0
}
