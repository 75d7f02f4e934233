package androidx.health.services.client.data

import java.time.Duration

abstract class DataPoint<T : Any>

class SampleDataPoint<T : Any>(val value: T, val timeDurationFromBoot: Duration) : DataPoint<T>()

class IntervalDataPoint<T : Any>(
    val value: T, val startDurationFromBoot: Duration, val endDurationFromBoot: Duration,
) : DataPoint<T>()

abstract class DataType<T : Any, D : DataPoint<T>> {
    companion object {
        val HEART_RATE_BPM = DeltaDataType<Double, SampleDataPoint<Double>>()
        val STEPS = DeltaDataType<Long, IntervalDataPoint<Long>>()
    }
}

class DeltaDataType<T : Any, D : DataPoint<T>> : DataType<T, D>()

class DataPointContainer {
    fun <T : Any, D : DataPoint<T>> getData(type: DeltaDataType<T, D>): List<D> = TODO("$type")
}

class PassiveListenerConfig {
    class Builder {
        fun setDataTypes(types: Set<DataType<*, *>>): Builder = TODO("$types")
        fun build(): PassiveListenerConfig = TODO()
    }

    companion object {
        fun builder(): Builder = Builder()
    }
}
