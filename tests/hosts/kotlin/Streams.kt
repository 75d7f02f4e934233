// A case of a stream in; out, what the host feeds to its graphs and what it tells. The host is
// the real one; only the graphs are the stand-ins that the vectors describe.
package dev.onwrist

/** Keeps what a predictor is given, and what it answers. */
private class Recorder(
    private val manifest: Manifest,
    private val settings: Settings,
    private val stand: StandIns,
    private val stream: () -> Stream,
) : Predictor(manifest, stand.whole, null) {
    val due = ArrayList<MutableMap<String, Any?>>()
    val grid = java.util.TreeMap<Pair<Int, Long>, Float>(compareBy({ it.first }, { it.second }))

    override fun run(inputs: Map<String, Tensor>): Map<String, Tensor> {
        val outputs = super.run(inputs)
        if (settings.mode != Mode.STEP) return outputs
        val first = checkNotNull(stream().timeline.origin) + (stream().rolling as Rolling).done
        val values = inputs.getValue("values")
        val observed = inputs.getValue("observed").data
        val step = Window(
            values.shape[1], values.shape[2], values.data, BooleanArray(observed.size) { observed[it] > 0 },
        )
        keep(first, step)
        due.add(linkedMapOf("first" to first, "inputs" to told(inputs)))
        return outputs
    }

    override fun answer(
        outputs: Map<String, Tensor>?,
        situation: Situation,
        start: Double?,
        window: Window,
    ): Prediction {
        val prediction = super.answer(outputs, situation, start, window)
        if (settings.mode == Mode.STEP) {
            due.last()["prediction"] = told(prediction)
            return prediction
        }
        val first = Math.round((checkNotNull(prediction.start) - settings.midnight) * manifest.rate)
        keep(first, window)
        val ran = stand.ran?.let(::told)
        stand.ran = null
        due.add(linkedMapOf("first" to first, "inputs" to ran, "prediction" to told(prediction)))
        return prediction
    }

    private fun keep(first: Long, window: Window) {
        for (place in window.values.indices) {
            val value = window.values[place]
            if (!window.observed[place]) {
                check(value == 0f)
                continue
            }
            val point = place / window.samples to first + place % window.samples
            check(grid.getOrPut(point) { value } == value)
        }
    }

    /** The observed grid points, as stretches without a gap. */
    fun pieces(): List<Map<String, Any>> {
        val found = ArrayList<Map<String, Any>>()
        var values = ArrayList<Float>()
        var before: Pair<Int, Long>? = null
        for ((point, value) in grid) {
            if (before != point.first to point.second - 1) {
                values = ArrayList()
                found.add(mapOf("row" to point.first, "first" to point.second, "values" to values))
            }
            values.add(value)
            before = point
        }
        return found
    }

    /** What a graph is given besides values, observed and state. */
    private fun told(inputs: Map<String, Tensor>): Map<String, Any> {
        val kept = LinkedHashMap<String, Any>()
        val scales = LinkedHashMap<String, Float>()
        for ((name, tensor) in inputs) {
            val numbers = tensor.data.asList()
            when {
                name == "baseline" -> kept[name] = numbers.chunked(tensor.shape[2])
                name == "state" -> kept[name] = numbers
                name == "tokens" -> kept[name] = numbers.map { it.toInt() }.chunked(tensor.shape[2])
                name == "slots" -> kept[name] = numbers.map { it.toInt() }
                name == "clock" -> kept[name] = numbers[0].toInt()
                name.endsWith(SCALE) -> scales[name] = numbers[0]
            }
        }
        if (scales.isNotEmpty()) kept["scales"] = scales
        return kept
    }

    private fun told(prediction: Prediction): Map<String, Any?> {
        val told = linkedMapOf<String, Any?>(
            "start" to prediction.start,
            "end" to prediction.end,
            "coverage" to prediction.coverage.values,
        )
        if (manifest.tasks.isEmpty()) return told
        told["tasks"] = prediction.tasks.mapValues { (_, result) -> toldOf(result) }
        told["sensors"] = prediction.sensors.mapValues { (_, state) ->
            mapOf("coverage" to state.coverage, "used" to state.used, "reason" to state.reason)
        }
        return told
    }
}

internal fun toldOf(result: TaskResult): Map<String, Any?> = mapOf(
    "abstained" to result.abstained,
    "value" to result.value,
    "label" to result.label,
    "reason" to result.reason,
)

/** Graphs that give the outputs of a case whatever comes in. */
private class StandIns(private val outputs: Map<String, FloatArray>, private val tokens: Tokens?) {
    var ran: Map<String, Tensor>? = null

    val whole = engine { inputs ->
        ran = inputs
        val given = outputs.mapValues { (_, numbers) -> Tensor(numbers, intArrayOf(1, numbers.size)) }.toMutableMap()
        inputs["state"]?.let { state ->
            given["next_state"] = Tensor(FloatArray(state.data.size) { state.data[it] + 1 }, state.shape)
        }
        inputs["tokens"]?.let { given["encoded"] = it }
        given
    }

    /** The token of a group in a patch: observed grid points of the patch, and the group. */
    val embed = engine { inputs ->
        val patch = checkNotNull(tokens).patch
        val observed = inputs.getValue("observed")
        val (rows, samples) = observed.shape[1] to observed.shape[2]
        val numbers = ArrayList<Float>()
        for (first in 0 until samples step patch) for (group in tokens.groups.indices) {
            numbers.add((0 until rows).sumOf { row ->
                (first until first + patch).sumOf { observed.data[row * samples + it].toInt() }
            }.toFloat())
            numbers.add(group.toFloat())
        }
        mapOf("tokens" to Tensor(numbers.toFloatArray(), intArrayOf(1, numbers.size / 2, 2)))
    }

    private fun engine(run: (Map<String, Tensor>) -> Map<String, Tensor>) = object : Engine {
        override fun run(inputs: Map<String, Tensor>, signature: String?) = run(inputs)
    }
}

/** What the host does with a case: its `expected`. */
internal fun streamOf(case: Fields): Map<String, Any?> {
    val manifest = manifestOf(case.of("manifest"))
    val given = case.of("settings")
    val mode = Mode.valueOf(given.text("mode").uppercase())
    val plain = settingsOf(
        manifest, Mode.WINDOW, null, given.number("lateness"), given.numbers("rates"), 0.0, false,
    )
    val settings = Settings(
        mode, given.whole("hop"), plain.lateness, plain.rates, given.number("midnight"), false,
    )
    val outputs = case.of("outputs")
    val names = (case.any("outputs") as Map<*, *>).keys.map { it as String }
    val stand = StandIns(names.associateWith(outputs::floats), manifest.tokens)
    lateinit var stream: Stream
    val recorder = Recorder(manifest, settings, stand) { stream }
    stream = Stream(manifest, settings) {
        when (val tokens = manifest.tokens) {
            null -> Rolling(manifest, settings, recorder)
            else -> Days(manifest, settings, Chain(Cut(manifest, tokens), stand.embed, stand.whole, null), recorder)
        }
    }
    val after = case.all("actions").map { action ->
        recorder.due.clear()
        try {
            act(stream, action)
            mapOf("refused" to false, "due" to recorder.due.toList())
        } catch (error: InputError) {
            mapOf("refused" to true)
        }
    }
    return mapOf(
        "after" to after,
        "grid" to recorder.pieces(),
        "counters" to stream.counters.mapValues { (_, found) ->
            listOf(found.samples, found.late, found.duplicate, found.repaired)
        },
        "staleness" to stream.staleness,
        "latency" to stream.latency,
        "coverage" to stream.coverage.values,
    )
}

private fun act(stream: Stream, action: Fields) {
    if ("reset" in action) return stream.reset()
    if ("at_least_one" in action) {
        stream.flush(action.flag("at_least_one"))
        return
    }
    val samples = action.list("samples").flatMap { if (it is List<*>) it else listOf(it) }
    stream.push(action.text("push"), action.doubles("times"), floats(samples))
}
