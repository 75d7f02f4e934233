// One window on the grid in, its prediction out: what is there, the engines, the decision.
// Windows of a caller, of a recording and of a stream all come through here.
package dev.onwrist

/** What runs a whole window that is no day: one graph, or those of sensors that are fused. */
internal open class Predictor(
    private val manifest: Manifest,
    private val engine: Engine?,
    private val ensemble: Ensemble?,
) {
    val patterns = Patterns(manifest)
    private val identity = ModelIdentity(manifest.name, manifest.version, manifest.hash)
    private val names = manifest.channels.map { it.name }
    private val plausibility =
        if (manifest.plausible.isEmpty()) null else Plausibility(manifest.plausible, names, manifest.rate)

    /** What the engine gives. */
    open fun run(inputs: Map<String, Tensor>): Map<String, Tensor> = checkNotNull(engine).run(inputs, null)

    /** The prediction of a window; [known] are further inputs, such as the baseline. */
    fun window(
        window: Window,
        start: Double?,
        known: Map<String, Tensor>,
        impute: Boolean,
    ): Prediction {
        val situation = patterns.of(window.counts(), plausibility?.implausible(window) ?: emptyMap())
        val outputs = if (ensemble != null) {
            if (situation.live.none { it }) null else
                ensemble.window(window, situation.live, situation.scales, impute)
        } else {
            if (situation.coverage.none { it > 0 }) null else run(
                mapOf("values" to window.valuesTensor(), "observed" to window.observedTensor()) +
                    known + situation.scales,
            )
        }
        return answer(outputs, situation, start, window)
    }

    /** The prediction of a window with these outputs; null where nothing was run. */
    open fun answer(
        outputs: Map<String, Tensor>?,
        situation: Situation,
        start: Double?,
        window: Window,
    ): Prediction {
        val coverage = names.withIndex().associate { (row, name) -> name to situation.coverage[row] }
        // As if what is not believed were not observed.
        val believed = BooleanArray(names.size) { manifest.channels[it].sensor !in situation.leftOut }
        val usable = names.withIndex().associate { (row, name) ->
            name to if (believed[row]) situation.coverage[row] else 0.0
        }
        val doubted = situation.leftOut.isNotEmpty()
        val tasks = manifest.tasks.associate { task ->
            val output = outputs?.getValue(task.name)?.data
            task.name to
                decide(task, output, usable, situation.pattern, patterns.sensors, doubted)
        }
        return Prediction(
            tasks,
            coverage,
            states(patterns, situation, outputs?.get("weights")?.data),
            outputs?.getValue("embedding")?.data,
            start,
            start?.plus(manifest.samples / manifest.rate),
            outputs?.get("imputed")?.let { filled(window, believed, it.data) },
            identity,
        )
    }

    private fun filled(window: Window, believed: BooleanArray, imputed: FloatArray): Window {
        val full = Window(window.channels, window.samples)
        for (place in imputed.indices) {
            val seen = window.observed[place] && believed[place / window.samples]
            full.observed[place] = seen
            full.values[place] = if (seen) window.values[place] else imputed[place]
        }
        return full
    }
}
