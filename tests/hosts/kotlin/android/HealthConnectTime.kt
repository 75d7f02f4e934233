package androidx.health.connect.client.time

import java.time.Instant

class TimeRangeFilter {
    companion object {
        fun between(startTime: Instant, endTime: Instant): TimeRangeFilter = TODO("$startTime $endTime")
    }
}
