// A bundle's constants, its files and an engine in; windows, recordings or streams in,
// predictions out.
package dev.onwrist

import java.security.MessageDigest
import kotlin.math.abs

/** A model that is ready to predict; made by [open]. */
class Model internal constructor(
    val manifest: Manifest,
    private val openGraph: (Graph) -> Engine,
    private val readGolden: () -> ByteArray,
) : AutoCloseable {
    private val opened = LinkedHashMap<String, Engine>()
    private val names = manifest.channels.map { it.name }

    private val chain by lazy {
        manifest.tokens?.let { tokens ->
            val decode = if (manifest.imputes) engine(Role.DECODE) else null
            Chain(Cut(manifest, tokens), engine(Role.EMBED), engine(Role.ENCODE), decode)
        }
    }
    private val ensemble by lazy {
        manifest.fusion?.let { fusion ->
            val senses = manifest.sensors.map { engine(Role.SENSE, it) }
            val decode = if (manifest.imputes) engine(Role.DECODE) else null
            Ensemble(fusion, manifest.sensors.map(manifest::rows), senses, engine(Role.FUSE), decode)
        }
    }
    private val predictor by lazy {
        val single = manifest.tokens == null && manifest.fusion == null
        Predictor(manifest, if (single) engine(Role.WINDOW) else null, ensemble)
    }
    private val stepPredictor by lazy { Predictor(manifest, engine(Role.STEP), null) }

    /** Grid points per second. */
    val rate: Double get() = manifest.rate

    /** Grid points of a window. */
    val windowSamples: Int get() = manifest.samples

    /** Names of the rows of a window. */
    val channels: List<String> get() = names

    /**
     * Predict on one window.
     *
     * @param values channels x samples on the grid, row by row; NaN where missing.
     * @param observed the same; null where everything but NaN was observed.
     * @param start when the window begins. Of a day it is needed, and the window begins at a
     *   patch, counted from [midnight].
     * @param baseline mean and scale of each channel as [Stream.baseline] gives them.
     * @param midnight any local midnight on the clock of [start]; only for days.
     * @param impute whether to give the window without gaps; days do if null.
     * @throws InputError shapes, numbers or times cannot be used.
     * @throws EngineError the engine fails.
     */
    fun predict(
        values: FloatArray,
        observed: BooleanArray? = null,
        start: Double? = null,
        baseline: Array<DoubleArray>? = null,
        midnight: Double? = null,
        impute: Boolean? = null,
    ): Prediction {
        val zero = midnightOf(manifest, midnight)
        val asked = imputeOf(manifest, impute, true)
        val window = checked(values, observed)
        start?.let(::checkTime)
        val days = chain
        if (days == null) return predictor.window(window, start, known(baseline), asked)
        if (baseline != null) throw InputError("$manifest takes no baseline")
        if (start == null) {
            throw InputError(
                "$manifest asks for the time of day: say when the window begins by start =, in " +
                    "seconds of local time, or with midnight =",
            )
        }
        val outputs = days.window(window, days.cut.clock(start, zero), asked)
        return predictor.answer(outputs, predictor.patterns.of(window.counts()), start, window)
    }

    /**
     * Predict on a recording of any length, one window every [hop] seconds, half a window if
     * null; one that is shorter than a window gives exactly one. Of days: one for each local
     * day that has a sample.
     */
    fun predictRecording(
        signals: Map<String, Signal>,
        hop: Double? = null,
        midnight: Double? = null,
        impute: Boolean? = null,
    ): List<Prediction> {
        val zero = midnightOf(manifest, midnight)
        val asked = imputeOf(manifest, impute, true)
        val days = manifest.tokens != null
        if (days && hop != null) {
            throw InputError(
                "$manifest predicts once for each day of a recording; for a hop push it to a " +
                    "stream: stream(hop = ...).pushRecording(signals)",
            )
        }
        val samples = if (days) manifest.samples else hopSamples(manifest, Mode.WINDOW, hop)
        val rates = DoubleArray(names.size) { signals[names[it]]?.rate ?: manifest.channels[it].rate }
        val stream = begin(Settings(Mode.WINDOW, samples, 0.0, rates, zero, asked))
        val found = stream.pushRecording(signals) + stream.flush(atLeastOne = true)
        return if (days) found.filter { day -> day.coverage.values.any { it > 0 } } else found
    }

    /**
     * Begin a stream of samples as they arrive.
     *
     * @param hop seconds from one prediction to the next; one step or patch, or half a window.
     * @param lateness seconds that a sample may be older than the newest one and still count.
     * @param mode null for steps where the bundle has a graph of them.
     * @param rates nominal native rates in Hz by channel or sensor, where not the bundle's.
     * @param midnight any local midnight on the clock of the samples; only for days.
     */
    fun stream(
        hop: Double? = null,
        lateness: Double = 2.0,
        mode: Mode? = null,
        rates: Map<String, Double> = emptyMap(),
        midnight: Double? = null,
        impute: Boolean = false,
    ): Stream {
        val steps = manifest.step != null && manifest.graphs.any { it.role == Role.STEP }
        if (mode == Mode.STEP && !steps) {
            throw InputError("there is no step graph in $manifest: use Mode.WINDOW")
        }
        val by = mode ?: if (steps) Mode.STEP else Mode.WINDOW
        val zero = midnightOf(manifest, midnight)
        val asked = imputeOf(manifest, impute.takeIf { it }, false)
        return begin(settingsOf(manifest, by, hop, lateness, rates, zero, asked))
    }

    /**
     * Replay the golden vectors of the bundle on this processor.
     *
     * @throws BundleError the golden vectors are not what the constants describe.
     */
    fun verify(): Verification {
        val replay = Replay(manifest, Golden(manifest.golden.file, readGolden()))
        val days = chain
        val fused = ensemble
        when {
            days != null -> replay.days(days)
            fused != null -> replay.fused(fused)
            else -> replay.windows(engine(Role.WINDOW))
        }
        val steps = if (manifest.step == null) 0 else manifest.golden.steps
        if (steps > 0) replay.steps(engine(Role.STEP))
        return replay.verification(steps)
    }

    override fun close() = opened.values.forEach { it.close() }

    private fun begin(settings: Settings): Stream = Stream(manifest, settings) {
        val days = chain
        if (days != null) {
            Days(manifest, settings, days, predictor)
        } else {
            Rolling(manifest, settings, if (settings.mode == Mode.STEP) stepPredictor else predictor)
        }
    }

    private fun engine(role: Role, sensor: String? = null): Engine {
        val graph = manifest.graphs.firstOrNull { it.role == role && it.sensor == sensor }
            ?: throw EngineError("$manifest has no TFLite graph with the role $role")
        return synchronized(opened) { opened.getOrPut(graph.file) { openGraph(graph) } }
    }

    private fun checked(values: FloatArray, observed: BooleanArray?): Window {
        val size = names.size * manifest.samples
        if (values.size != size || (observed != null && observed.size != size)) {
            val has = if (values.size != size) values.size else observed?.size
            throw InputError(
                "a window has $size numbers, not $has: ${names.size} channels " +
                    "(${names.joinToString()}) of ${manifest.samples} grid points each",
            )
        }
        val window = Window(names.size, manifest.samples)
        for (place in values.indices) {
            if (abs(values[place]) >= LARGEST_SAMPLE) {
                throw InputError(
                    "channel '${names[place / manifest.samples]}' is ${values[place]} at sample " +
                        "${place % manifest.samples}; a value must be below 1e+15 in magnitude, " +
                        "and NaN where it is missing",
                )
            }
            val seen = !values[place].isNaN() && (observed == null || observed[place])
            window.observed[place] = seen
            window.values[place] = if (seen) values[place] else 0f
        }
        return window
    }

    /** The graph's baseline, zeros where none is known, if it takes one. */
    private fun known(baseline: Array<DoubleArray>?): Map<String, Tensor> {
        if (manifest.baseline == null) {
            if (baseline != null) throw InputError("$manifest takes no baseline")
            return emptyMap()
        }
        val given = baseline ?: Array(names.size) { doubleArrayOf(Double.NaN, Double.NaN) }
        if (given.size != names.size || given.any { it.size != 2 }) {
            throw InputError("a baseline is mean and scale of each of the ${names.size} channels")
        }
        if (given.any { row -> row.any { abs(it) >= LARGEST } || row[1] < 0 }) {
            throw InputError("a baseline is finite, or NaN where unknown, and its scale >= 0")
        }
        return mapOf("baseline" to baselineInput(given))
    }

    companion object {
        /**
         * Open a model: each file is held against its size and SHA-256 before the engine sees
         * it, and the golden vectors are replayed once.
         *
         * @param prove false to leave out the replay, where [verify] was passed before by the
         *   same app on the same device.
         * @throws BundleError a file is missing or altered.
         * @throws EngineError the engine cannot open a graph.
         * @throws ParityError the engine does not give the golden numbers here.
         */
        fun open(manifest: Manifest, files: Files, engines: OpenEngine, prove: Boolean = true): Model {
            val golden = manifest.golden
            val model = Model(
                manifest,
                { engines.open(it.file, contentOf(files, it.file, it.sha256)) },
                { contentOf(files, golden.file, golden.sha256) },
            )
            if (!prove) return model
            try {
                val found = model.verify()
                if (found.passed) return model
                throw ParityError(
                    "the engine is off the golden vectors of $manifest on this processor: $found; " +
                        "try another version of the engine, and report this",
                )
            } catch (error: Exception) {
                model.close()
                throw error
            }
        }

        /**
         * Hold every file against its SHA-256, the manifest's own included, and replay the
         * golden vectors: what an app's tests call on each kind of device.
         */
        fun selfTest(manifest: Manifest, files: Files, engines: OpenEngine): Verification {
            contentOf(files, "manifest.json", manifest.hash)
            for (graph in manifest.graphs) contentOf(files, graph.file, graph.sha256)
            return open(manifest, files, engines, prove = false).use { it.verify() }
        }
    }
}

/** A file of the bundle, refused if it is not to the byte what was packed. */
internal fun contentOf(files: Files, name: String, sha256: String): ByteArray {
    val content = try {
        files.read(name)
    } catch (error: java.io.IOException) {
        throw BundleError("$name cannot be read: ${error.message}; embed the bundle again", error)
    }
    val found = MessageDigest.getInstance("SHA-256").digest(content)
        .joinToString("") { byte -> (byte.toInt() and 0xff).toString(16).padStart(2, '0') }
    if (found != sha256) {
        throw BundleError(
            "$name has the SHA-256 $found, but $sha256 was packed: it was altered or belongs to " +
                "another bundle; embed the bundle again",
        )
    }
    return content
}
