// Final grid points in, predictions out: whole windows or steps, and the running baseline.
// What has been done is a function of which grid points are final, however many became so.
package dev.onwrist

import kotlin.math.min

/** What turns the grid of a stream into predictions. */
internal interface Grid {
    /** The last window of the grid. */
    val window: Window

    /** Shares of observed grid points of each channel in the last prediction. */
    val coverage: DoubleArray

    /** When the last prediction ends; null before one. */
    val end: Double?

    /** Mean and scale of each channel; NaN where unknown. */
    val usual: Array<DoubleArray>

    /** Go on to the last end that is due; predictions so far stay if the engine fails. */
    fun advance(timeline: Timeline, ready: MutableList<Prediction>)
}

internal class Rolling(
    private val manifest: Manifest,
    private val settings: Settings,
    private val predictor: Predictor,
) : Grid {
    private val channels = manifest.channels.size
    private val samples = manifest.samples
    private val step = manifest.step?.takeIf { settings.mode == Mode.STEP }
    private val baseline = manifest.baseline?.let { Baseline(channels, manifest.rate, it) }
    private var state = step?.let { Tensor(FloatArray(it.state), intArrayOf(1, it.state)) }
    internal var done = 0L // grid points that were gone through, from the origin on

    override var window = Window(channels, samples)
        private set
    override var coverage = DoubleArray(channels)
        private set
    override var end: Double? = null
        private set
    override val usual: Array<DoubleArray>
        get() = baseline?.usual ?: Array(channels) { doubleArrayOf(Double.NaN, Double.NaN) }

    override fun advance(timeline: Timeline, ready: MutableList<Prediction>) {
        val origin = timeline.origin ?: return
        while (due() <= timeline.final - origin) {
            goOn(timeline, origin)?.let(ready::add)
            timeline.forget(origin + done)
        }
    }

    /** The end of the next step, or of the next window if that is not far. */
    private fun due(): Long {
        if (step != null) return done + step.samples
        val past = done - samples // the end of the first window
        val next = if (past < 0) -past else settings.hop - past % settings.hop
        return done + min(next, samples.toLong())
    }

    /** Go on to what is due; if the engine fails, all is as it was before. */
    private fun goOn(timeline: Timeline, origin: Long): Prediction? {
        val due = due()
        val past = due - samples
        val gives = past >= 0 && past % settings.hop == 0L
        val longer = window.followedBy(timeline.resample(origin + done, (due - done).toInt()))
        val next = longer.part((due - done).toInt(), samples)
        val remembered = baseline?.state
        val known = updateBaseline(longer, due)
        val start = (origin + past).toDouble() / manifest.rate
        var prediction: Prediction? = null
        try {
            if (step != null) {
                prediction = takeStep(step, next, known, start.takeIf { gives })
            } else if (gives) {
                prediction = predictor.window(next, start, known, settings.impute)
            }
        } catch (error: Throwable) {
            if (remembered != null) baseline.state = remembered
            throw error
        }
        window = next
        done = due
        if (prediction != null) {
            coverage = DoubleArray(channels) { prediction.coverage.getValue(manifest.channels[it].name) }
            end = prediction.end
        }
        return prediction
    }

    private fun takeStep(
        step: StepOf,
        next: Window,
        known: Map<String, Tensor>,
        start: Double?,
    ): Prediction? {
        val situation = predictor.patterns.of(next.counts())
        val fresh = next.part(samples - step.samples, step.samples)
        val inputs = known + situation.scales + mapOf(
            "values" to fresh.valuesTensor(),
            "observed" to fresh.observedTensor(),
            "state" to checkNotNull(state),
        )
        val outputs = predictor.run(inputs)
        val prediction = start?.let {
            val seen = situation.coverage.any { share -> share > 0 }
            predictor.answer(outputs.takeIf { seen }, situation, it, next)
        }
        state = outputs.getValue("next_state")
        return prediction
    }

    /** Take the blocks that end up to [due], the last grid point of [longer]. */
    private fun updateBaseline(longer: Window, due: Long): Map<String, Tensor> {
        if (baseline == null) return emptyMap()
        val block = baseline.samples
        for (end in (done / block + 1) * block..due step block.toLong()) {
            val stop = longer.samples - (due - end).toInt()
            baseline.update(longer.part(stop - block, block))
        }
        return mapOf("baseline" to baseline.input)
    }
}
