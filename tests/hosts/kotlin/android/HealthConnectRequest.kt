package androidx.health.connect.client.request

import androidx.health.connect.client.records.Record
import androidx.health.connect.client.records.metadata.DataOrigin
import androidx.health.connect.client.time.TimeRangeFilter
import kotlin.reflect.KClass

class ReadRecordsRequest<T : Record>(
    val recordType: KClass<T>,
    val timeRangeFilter: TimeRangeFilter,
    val dataOriginFilter: Set<DataOrigin> = emptySet(),
    val ascendingOrder: Boolean = true,
    val pageSize: Int = 1000,
    val pageToken: String? = null,
)
