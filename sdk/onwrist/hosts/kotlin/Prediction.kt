// What a model answers: one record for each window.
package dev.onwrist

/** Which bundle gave a prediction: its name, version and SHA-256. */
data class ModelIdentity(val name: String, val version: String, val hash: String)

/**
 * The outcome of one task on one window.
 *
 * @property value of a regression, in [unit]; null when abstained.
 * @property label of a classification, with the [probabilities] of all; null when abstained.
 * @property confidence calibrated probability of being right; null when nothing was computed.
 * @property reason why it abstained, in words; null otherwise.
 */
data class TaskResult(
    val value: Double?,
    val unit: String?,
    val label: String?,
    val probabilities: Map<String, Double>?,
    val confidence: Double?,
    val abstained: Boolean,
    val reason: String?,
)

/**
 * What became of one sensor in one window.
 *
 * @property coverage share of observed grid points of all its channels.
 * @property used whether it counted: enough of it was observed, and it was believed.
 * @property weight how much it counted, all sensors together 1; null without fusion.
 * @property reason why it was not used, in words; null otherwise.
 */
data class SensorState(
    val coverage: Double,
    val used: Boolean,
    val weight: Double?,
    val reason: String?,
)

/**
 * The results of one window.
 *
 * @property tasks result of each task by name.
 * @property coverage share of observed grid points by channel.
 * @property sensors what became of each sensor, by name.
 * @property embedding null when nothing was observed.
 * @property start seconds on the recording's clock, as [end]; null if unknown.
 * @property imputed the window without gaps, where it was asked for: what was observed where
 *   it was, and output of the model elsewhere.
 */
class Prediction internal constructor(
    val tasks: Map<String, TaskResult>,
    val coverage: Map<String, Double>,
    val sensors: Map<String, SensorState>,
    val embedding: FloatArray?,
    val start: Double?,
    val end: Double?,
    val imputed: Window?,
    val model: ModelIdentity,
) {
    /** The result of a task. */
    operator fun get(task: String): TaskResult = tasks[task]
        ?: throw InputError("there is no task '$task'; this model has ${tasks.keys.joinToString()}")
}
