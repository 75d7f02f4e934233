// The bundles that ship, as `onwrist embed` writes them, on the real engine: golden vectors,
// predictions, and what is refused.
package dev.onwrist

import android.content.res.AssetManager
import dev.onwrist.bundles.BodyFusion
import dev.onwrist.bundles.DayLsm2
import dev.onwrist.bundles.ModelBundle
import dev.onwrist.bundles.WristHimae
import dev.onwrist.bundles.WristHimaeSmall
import java.io.File

private fun assets(root: File, bundle: String) = AssetManager(File(root, "$bundle/assets"))

/** The self-test of each bundle, with the folders that were written below a root. */
internal fun selfTests(root: File): Map<String, Any> = mapOf(
    WristHimae.NAME to WristHimae.selfTest(assets(root, WristHimae.NAME)),
    WristHimaeSmall.NAME to WristHimaeSmall.selfTest(assets(root, WristHimaeSmall.NAME)),
    DayLsm2.NAME to DayLsm2.selfTest(assets(root, DayLsm2.NAME)),
    BodyFusion.NAME to BodyFusion.selfTest(assets(root, BodyFusion.NAME)),
).mapValues { (_, found) ->
    mapOf(
        "windows" to found.windows,
        "steps" to found.steps,
        "differences" to found.differences,
        "tolerances" to found.tolerances,
        "passed" to found.passed,
    )
}

private fun manifestNamed(bundle: String): Manifest =
    listOf(WristHimae.manifest, WristHimaeSmall.manifest, DayLsm2.manifest, BodyFusion.manifest)
        .first { it.name == bundle }

/** A recording in, predictions out: as a whole, or through a stream in bursts. */
internal fun predictions(asked: Fields): List<Any> {
    val manifest = manifestNamed(asked.text("bundle"))
    val assets = assets(File(asked.text("root")), manifest.name)
    val files = AssetFiles(assets, "onwrist/${manifest.name}")
    val model = Model.open(manifest, files, LiteRt(), prove = false)
    val found = when (asked.text("way")) {
        "recording" -> model.predictRecording(
            asked.all("signals").associate {
                it.text("name") to Signal(it.doubles("times"), it.floats("values"), it.number("rate"))
            },
        )
        "windows" -> listOf(model.predict(asked.floats("values"), start = 0.0))
        else -> {
            val stream = model.stream(mode = Mode.valueOf(asked.text("way").uppercase()))
            asked.all("pushes").flatMap { push ->
                stream.push(push.text("name"), push.doubles("times"), push.floats("values"))
            } + stream.flush()
        }
    }
    return found.map { prediction ->
        mapOf(
            "start" to prediction.start,
            "end" to prediction.end,
            "coverage" to prediction.coverage,
            "tasks" to prediction.tasks.mapValues { (_, result) ->
                toldOf(result) + mapOf("confidence" to result.confidence)
            },
            "sensors" to prediction.sensors.mapValues { (_, state) ->
                mapOf("used" to state.used, "weight" to state.weight, "reason" to state.reason)
            },
            "embedding" to prediction.embedding,
        )
    }
}

/** What each wrong use says: the kind of error, and its message. */
internal fun refusals(root: File): Map<String, String> {
    val wrist = WristHimae.manifest
    val day = DayLsm2.manifest
    val good = AssetFiles(assets(root, wrist.name), WristHimae.FOLDER)
    val model = Model.open(wrist, good, LiteRt(), prove = false)
    val days = Model.open(day, AssetFiles(assets(root, day.name), DayLsm2.FOLDER), LiteRt(), prove = false)
    val window = FloatArray(wrist.channels.size * wrist.samples)
    fun pushed(times: DoubleArray, samples: FloatArray, name: String = "ppg") = {
        model.stream().push(name, times, samples)
    }
    val altered = Files { name ->
        good.read(name).also { if (name == "model.tflite") it[100] = (it[100] + 1).toByte() }
    }
    val other = Files { name -> if (name == "golden.safetensors") ByteArray(4) else good.read(name) }
    val nothing = AssetFiles(assets(root, wrist.name), "onwrist/elsewhere")
    val strange = OpenEngine { name, _ -> LiteRt().open(name, ByteArray(64)) }
    val lying = OpenEngine { name, content ->
        val honest = LiteRt().open(name, content)
        object : Engine {
            override fun run(inputs: Map<String, Tensor>, signature: String?) =
                honest.run(inputs, signature).mapValues { (_, tensor) ->
                    Tensor(FloatArray(tensor.data.size) { tensor.data[it] + 1 }, tensor.shape)
                }
        }
    }
    return mapOf<String, () -> Any>(
        "a time that is NaN" to pushed(doubleArrayOf(0.0, Double.NaN), floatArrayOf(1f, 2f)),
        "milliseconds" to pushed(doubleArrayOf(1.7e12), floatArrayOf(1f)),
        "another clock" to {
            val stream = model.stream()
            stream.push("ppg", doubleArrayOf(12.5), floatArrayOf(1f))
            stream.push("acc", doubleArrayOf(1.7e9), floatArrayOf(0f, 0f, 1f))
        },
        "an unknown name" to pushed(doubleArrayOf(0.0), floatArrayOf(1f), "ecg"),
        "an infinite sample" to pushed(doubleArrayOf(0.0), floatArrayOf(Float.POSITIVE_INFINITY)),
        "a stamp too few" to pushed(doubleArrayOf(0.0), floatArrayOf(1f, 2f)),
        "axes that do not fit" to pushed(doubleArrayOf(0.0), floatArrayOf(1f), "acc"),
        "after a flush" to {
            model.stream().apply { flush() }.push("ppg", doubleArrayOf(0.0), floatArrayOf(1f))
        },
        "a window too short" to { model.predict(FloatArray(5)) },
        "an infinite value" to { model.predict(window.copyOf().also { it[300] = Float.NEGATIVE_INFINITY }) },
        "a midnight for a wrist" to { model.predict(window, midnight = 0.0) },
        "a wrist that imputes" to { model.predict(window, impute = true) },
        "a hop of half a step" to { model.stream(hop = 0.64) },
        "a negative lateness" to { model.stream(lateness = -1.0) },
        "two rates of one sensor" to { model.stream(rates = mapOf("acc_x" to 50.0)) },
        "an unknown task" to { model.predict(window)["sleep"] },
        "a day without a time" to { days.predict(FloatArray(3 * 1440)) },
        "a day that begins off a patch" to { days.predict(FloatArray(3 * 1440), start = 60.0) },
        "steps of a day" to { days.stream(mode = Mode.STEP) },
        "an empty recording" to { model.predictRecording(emptyMap()) },
        "an altered graph" to { Model.open(wrist, altered, LiteRt()) },
        "altered golden vectors" to { Model.open(wrist, other, LiteRt()) },
        "no files" to { Model.open(wrist, nothing, LiteRt()) },
        "no graph" to { Model.open(wrist, good, strange) },
        "an engine that is off" to { Model.open(wrist, good, lying) },
        "too short a header" to { Golden("golden.safetensors", ByteArray(7)) },
        "a header that lies" to { Golden("golden.safetensors", ByteArray(16) { 127 }) },
    ).mapValues { (_, use) ->
        try {
            use()
            "nothing was refused"
        } catch (error: OnwristError) {
            "${error::class.simpleName}: ${error.message}"
        }
    }
}

/** What the constants of the odd bundle say, in order. */
internal fun odd(): Map<String, Any> = ModelBundle.manifest.run {
    mapOf(
        "channels" to channels.map { listOf(it.name, it.unit, it.polarity) },
        "labels" to tasks.map { it.labels },
        "patterns" to checkNotNull(availability).patterns.map { it.temperatures },
        "whitening" to plausible.map { checkNotNull(it.usual).whitening },
        "cases" to ModelBundle.Labels.Val.entries.map { it.id },
    )
}
