// Outputs of the graph and coverage in, one result for each task and sensor out.
//
// This is where a model abstains: below what the manifest asks of coverage or confidence
// there is no value and no label, and the reason is given in words.
package dev.onwrist

private const val NOTHING_OBSERVED = "nothing was observed"

/**
 * The result of a task.
 *
 * @param output of the graph; null where none was run.
 * @param coverage share of observed grid points by channel.
 * @param pattern of the live sensors, in a bundle with `availability`.
 * @param all names of the bundle's sensors.
 * @param doubted whether some sensor is not believed.
 */
internal fun decide(
    task: Task,
    output: FloatArray?,
    coverage: Map<String, Double>,
    pattern: Pattern?,
    all: List<String>,
    doubted: Boolean,
): TaskResult {
    if (output == null) return abstained(task, null, notRun(coverage, doubted))
    var reason = lackOfCoverage(task, coverage)
    if (reason == null && pattern != null && task.name !in pattern.temperatures) {
        reason = notCalibrated(pattern, all)
    }
    if (reason != null) return abstained(task, null, reason)
    val best = if (task.kind == Kind.REGRESSION) 1 else largest(output)
    val confidence = output[best].toDouble()
    val least = leastConfidence(task, pattern)
    // Written so that a confidence that is NaN abstains.
    if (!(confidence >= least)) return unsure(task, confidence, least, pattern)
    if (task.kind == Kind.REGRESSION) {
        return TaskResult(output[0].toDouble(), task.unit, null, null, confidence, false, null)
    }
    val probabilities = task.labels.withIndex().associate { (k, label) -> label to output[k].toDouble() }
    return TaskResult(null, null, task.labels[best], probabilities, confidence, false, null)
}

/** What became of every sensor in a window; [weights] are those of the graph, if it has any. */
internal fun states(
    patterns: Patterns,
    situation: Situation,
    weights: FloatArray?,
): Map<String, SensorState> = patterns.sensors.withIndex().associate { (k, name) ->
    val share = situation.sensors[k]
    val reason = when {
        share == 0.0 -> NOTHING_OBSERVED
        share < patterns.least -> below("coverage", share, patterns.least)
        else -> situation.leftOut[name]
    }
    name to SensorState(share, situation.live[k], weights?.get(k)?.toDouble(), reason)
}

/** The first of the largest. */
private fun largest(numbers: FloatArray): Int {
    var best = 0
    for (k in numbers.indices) if (numbers[k] > numbers[best]) best = k
    return best
}

private fun leastConfidence(task: Task, pattern: Pattern?): Double =
    if (pattern == null) task.minimumConfidence else pattern.minimumConfidence.getValue(task.name)

private fun notRun(coverage: Map<String, Double>, doubted: Boolean): String = when {
    doubted -> "too little of what was observed can be believed"
    coverage.values.any { it > 0 } -> "too little was observed"
    else -> NOTHING_OBSERVED
}

private fun lackOfCoverage(task: Task, coverage: Map<String, Double>): String? {
    fun short(channel: String, least: Double): String =
        "$channel ${below("coverage", coverage.getValue(channel), least)}"

    fun lacking(least: Map<String, Double>): List<String> =
        least.filter { (channel, share) -> coverage.getValue(channel) < share }
            .map { (channel, share) -> short(channel, share) }

    val required = lacking(task.required)
    if (required.isNotEmpty()) return required.joinToString(" and ")
    val any = lacking(task.anyOf)
    return if (any.isNotEmpty() && any.size == task.anyOf.size) {
        "too little of all of: " + any.joinToString()
    } else {
        null
    }
}

private fun notCalibrated(pattern: Pattern, all: List<String>): String {
    if (pattern.sensors.isEmpty()) return "too little was observed"
    return "not calibrated for ${listed(pattern.sensors)}" + if (pattern.sensors == all) "" else " alone"
}

private fun unsure(task: Task, confidence: Double, least: Double, pattern: Pattern?): TaskResult {
    var reason = below("confidence", confidence, least)
    if (pattern != null) {
        val ask = if (pattern.sensors.size == 1) "asks" else "ask"
        reason += ", which ${listed(pattern.sensors)} $ask for"
    }
    return abstained(task, confidence, reason)
}

private fun abstained(task: Task, confidence: Double?, reason: String): TaskResult =
    TaskResult(null, task.unit, null, null, confidence, true, reason)
