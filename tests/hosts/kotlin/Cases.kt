// A case of any vector file in, its `expected` out.
package dev.onwrist

internal fun expectedOf(case: Fields): Any = when {
    "actions" in case -> streamOf(case)
    "plausible" in case -> plausibleCase(case)
    "aggregation" in case -> minutesCase(case)
    "samples" in case -> resamplingCase(case)
    "task" in case -> decisionCase(case, taskOf(case.of("task")), null, emptyList())
    "groups" in case -> slotsCase(case)
    "live_task" in case ->
        decisionCase(case, taskOf(case.of("live_task")), patternOf(case.of("pattern")), case.texts("sensors"))
    "counts" in case -> sensorsCase(case)
    "points" in case -> nearestCase(case)
    else -> clockCase(case)
}

private fun resamplingCase(case: Fields): Map<String, Any> {
    val window = Window(1, case.whole("count"))
    resample(
        case.doubles("times"), arrayOf(case.floats("samples")), case.number("rate"),
        case.number("grid_rate"), case.number("first").toLong(), window, intArrayOf(0),
    )
    return mapOf("values" to window.values, "observed" to window.observed)
}

private fun minutesCase(case: Fields): Map<String, Any> {
    val window = Window(1, case.whole("count"))
    Minutes(case.number("period"), case.number("zero")).aggregate(
        case.doubles("times"), case.floats("samples"), case.text("aggregation") == "sum",
        case.number("first").toLong(), window, 0,
    )
    return mapOf("values" to window.values, "observed" to window.observed)
}

private fun decisionCase(
    case: Fields, task: Task, pattern: Pattern?, sensors: List<String>,
): Map<String, Any?> {
    val output = if ("output" in case) case.floats("output") else null
    return toldOf(decide(task, output, case.numbers("coverage"), pattern, sensors, false))
}

private fun slotsCase(case: Fields): Map<String, Any> {
    val rows = case.texts("channels")
    val window = Window(rows.size, rows[0].length)
    for (place in window.observed.indices) {
        window.observed[place] = rows[place / window.samples][place % window.samples] == '1'
    }
    val groups = case.list("groups").map { group ->
        (group as List<*>).map { (it as Double).toInt() }.toIntArray()
    }
    val cut = Cut(
        window.samples, case.whole("patch"), groups, case.wholes("least"), 1,
        case.wholes("sizes"), null, 1.0,
    )
    val slots = cut.slots(cut.present(window))
    return mapOf("size" to slots.size, "slots" to slots)
}

private fun nearestCase(case: Fields): Map<String, Any> {
    val points = case.text("points")
    val observed = BooleanArray(points.length) { points[it] == '1' }
    return mapOf(
        "before" to nearestBefore(observed).map { it.toInt() },
        "after" to nearestAfter(observed).map { it.toInt() },
    )
}

private fun clockCase(case: Fields): Map<String, Any> {
    val period = case.number("period")
    val cut = Cut(
        Math.rint(86_400 / period).toInt(), case.whole("patch"), listOf(intArrayOf(0)), listOf(1),
        1, listOf(1), null, period,
    )
    return mapOf("clock" to cut.clock(case.number("start"), case.number("midnight")))
}

private fun sensorsCase(case: Fields): Map<String, Any> {
    val rows = (case.any("rows") as Map<*, *>).keys.map { it as String }
    val availability = Availability(case.number("least"), case.all("patterns").map(::patternOf))
    val patterns = Patterns(
        rows, rows.map { case.of("rows").wholes(it).toIntArray() }, case.whole("points"),
        case.texts("tasks"), availability,
    )
    val leftOut = (case.any("left_out") as Map<*, *>).entries
        .associate { it.key as String to it.value as String }
    val situation = patterns.of(case.wholes("counts").toIntArray(), leftOut)
    return mapOf(
        "coverage" to situation.coverage,
        "sensors" to situation.sensors,
        "live" to situation.live,
        "calibrated" to case.texts("tasks").filter { it in checkNotNull(situation.pattern).temperatures },
        "scales" to situation.scales.mapValues { (_, scale) -> scale.data[0] },
        "reasons" to states(patterns, situation, null).mapValues { (_, state) -> state.reason },
    )
}

private fun plausibleCase(case: Fields): Map<String, String> {
    val rows = case.list("values").map { floats(it as List<*>) }
    val window = Window(rows.size, rows[0].size)
    for (place in window.values.indices) {
        val value = rows[place / window.samples][place % window.samples]
        window.observed[place] = !value.isNaN()
        window.values[place] = if (value.isNaN()) 0f else value
    }
    val records = case.all("plausible").map(::plausibleOf)
    return Plausibility(records, case.texts("channels"), case.number("rate")).implausible(window)
}
