package androidx.health.connect.client.records

import androidx.health.connect.client.records.metadata.Metadata
import java.time.Instant
import java.time.ZoneOffset

interface Record {
    val metadata: Metadata
}

class HeartRateRecord(
    val startZoneOffset: ZoneOffset?, val samples: List<Sample>, override val metadata: Metadata,
) : Record {
    class Sample(val time: Instant, val beatsPerMinute: Long)
}

class StepsRecord(
    val startTime: Instant, val startZoneOffset: ZoneOffset?, val endTime: Instant, val count: Long,
    override val metadata: Metadata,
) : Record
