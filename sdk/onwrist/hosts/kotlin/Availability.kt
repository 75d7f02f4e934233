// What was observed of a window in; which sensors are live, and what is asked of them, out.
package dev.onwrist

/**
 * How much of a window there is, and what is asked of it.
 *
 * @property coverage share of observed grid points of each channel, [sensors] of each sensor.
 * @property leftOut why a sensor is not believed, by its name; such a one is not live.
 * @property pattern of the live sensors; one that is not listed names no task. Null for a
 *   bundle without `availability`.
 * @property scales what the graph multiplies logits with, by input.
 */
internal class Situation(
    val coverage: DoubleArray,
    val sensors: DoubleArray,
    val live: BooleanArray,
    val leftOut: Map<String, String>,
    val pattern: Pattern?,
    val scales: Map<String, Tensor>,
)

/** The patterns of a manifest, ready to be looked up. */
internal class Patterns(
    val sensors: List<String>,
    private val rows: List<IntArray>,
    private val samples: Int,
    tasks: List<String>,
    private val availability: Availability?,
) {
    /** From which coverage on a sensor is live; without `availability`, from anything on. */
    val least = availability?.least ?: Double.MIN_VALUE
    private val tasks = if (availability == null) emptyList() else tasks

    constructor(manifest: Manifest) : this(
        manifest.sensors,
        manifest.sensors.map(manifest::rows),
        manifest.samples,
        manifest.tasks.map { it.name },
        manifest.availability,
    )

    /** The situation of a window with so many observed grid points of each channel. */
    fun of(counts: IntArray, leftOut: Map<String, String> = emptyMap()): Situation {
        // Whole numbers are added up and divided once: the same bits on every host.
        val shares = DoubleArray(sensors.size) { k ->
            rows[k].sumOf { counts[it] }.toDouble() / (rows[k].size * samples)
        }
        val live = BooleanArray(sensors.size) { shares[it] >= least && sensors[it] !in leftOut }
        val coverage = DoubleArray(counts.size) { counts[it].toDouble() / samples }
        val pattern = availability?.let { asked(it, sensors.filterIndexed { k, _ -> live[k] }) }
        val scales = tasks.associate { task ->
            task + SCALE to Tensor.of((1 / (pattern?.temperatures?.get(task) ?: 1.0)).toFloat())
        }
        return Situation(coverage, shares, live, leftOut, pattern, scales)
    }

    private fun asked(availability: Availability, live: List<String>): Pattern =
        availability.patterns.firstOrNull { it.sensors == live } ?: Pattern(live)
}

internal const val SCALE = "_scale" // after a task's name
