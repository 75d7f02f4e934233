// Final patches in, predictions on the day up to each hop out; each patch is embedded once.
// What lies before the first sample of a stream is simply not observed.
package dev.onwrist

internal class Days(
    private val manifest: Manifest,
    private val settings: Settings,
    private val chain: Chain,
    private val predictor: Predictor,
) : Grid {
    private val cut = chain.cut
    private val channels = manifest.channels.size
    private var tokens = FloatArray(cut.sizes.last() * cut.width)
    private var done = 0L // grid points that were gone through, from the origin on

    override var window = Window(channels, cut.samples)
        private set
    override var coverage = DoubleArray(channels)
        private set
    override var end: Double? = null
        private set
    override val usual: Array<DoubleArray>
        get() = Array(channels) { doubleArrayOf(Double.NaN, Double.NaN) }

    override fun advance(timeline: Timeline, ready: MutableList<Prediction>) {
        val origin = timeline.origin ?: return
        while (done + cut.patch <= timeline.final - origin) {
            val stop = origin + done + cut.patch
            take(timeline, stop)?.let(ready::add)
            timeline.forget(stop)
        }
    }

    /** Take the patch that ends at a grid point; predict, if a hop ends there. */
    private fun take(timeline: Timeline, stop: Long): Prediction? {
        val fresh = timeline.resample(stop - cut.patch, cut.patch)
        val next = window.followedBy(fresh).part(cut.patch, cut.samples)
        val own = cut.groups * cut.width
        val embedded = tokens.copyOfRange(own, tokens.size) + embed(fresh)
        var prediction: Prediction? = null
        if ((done + cut.patch) % settings.hop == 0L) {
            prediction = predict(timeline, stop, next, embedded)
            coverage = DoubleArray(channels) { prediction.coverage.getValue(manifest.channels[it].name) }
            end = prediction.end
        }
        window = next
        tokens = embedded
        done += cut.patch
        return prediction
    }

    /** The tokens of a patch; of none that there is, no graph is run. */
    private fun embed(patch: Window): FloatArray =
        if (cut.present(patch).any { it }) chain.embed(patch) else FloatArray(cut.groups * cut.width)

    private fun predict(
        timeline: Timeline,
        stop: Long,
        day: Window,
        embedded: FloatArray,
    ): Prediction {
        val first = stop - cut.samples
        val present = cut.present(day)
        val outputs = if (present.none { it }) null else {
            val patches = cut.patches.toLong()
            val clock = Math.floorMod(Math.floorDiv(first, cut.patch.toLong()), patches).toInt()
            chain.answer(embedded, present, day, clock, settings.impute)
        }
        val start = checkNotNull(timeline.minutes).start(first)
        return predictor.answer(outputs, predictor.patterns.of(day.counts()), start, day)
    }
}
