// What a host must know besides the graphs: the bundle's manifest as typed constants, which
// `onwrist embed` generates, so that nothing is parsed on the device. Field by field the
// manifest of the bundle; HOST.md says what each is for.
package dev.onwrist

/** What samples become on the grid: its points, or the mean or sum between two of them. */
enum class Aggregation { RESAMPLE, MEAN, SUM }

enum class Kind { REGRESSION, CLASSIFICATION }

/** What a graph takes; see the bundle's format. */
enum class Role { WINDOW, STEP, EMBED, ENCODE, DECODE, SENSE, FUSE }

/** One row of a window; [rate] is the nominal native sampling rate in Hz. */
data class Channel(
    val name: String,
    val sensor: String,
    val rate: Double,
    val unit: String,
    val polarity: String,
    val minimum: Double,
    val maximum: Double,
    val aggregation: Aggregation = Aggregation.RESAMPLE,
)

/** Where the mean of one encoder stage lies in the embedding: [start, stop). */
data class Stage(val name: String, val start: Int, val stop: Int)

/** One output of the graphs, and when it may be believed; coverages are by channel. */
data class Task(
    val name: String,
    val kind: Kind,
    val unit: String? = null,
    val labels: List<String> = emptyList(),
    val required: Map<String, Double> = emptyMap(),
    val anyOf: Map<String, Double> = emptyMap(),
    val minimumConfidence: Double,
)

/** One model file. */
data class Graph(
    val file: String,
    val role: Role,
    val bytes: Int,
    val sha256: String,
    val sensor: String? = null,
)

/** The running mean and scale that graphs take: time constant, and grid points an update. */
data class BaselineOf(val seconds: Double, val samples: Int)

/** Grid points of one step, and floats of the state between two of them. */
data class StepOf(val samples: Int, val state: Int)

/** Channels that make a token together, where [least] points of a patch are observed. */
data class Group(val name: String, val channels: List<String>, val least: Int)

/** How a day is cut into tokens: token t * groups + g is group g in patch t. */
data class Tokens(
    val patch: Int,
    val groups: List<Group>,
    val width: Int,
    val sizes: List<Int>,
    val interpolated: String? = null,
)

/** What is asked where just these sensors are live; a task that is not named abstains. */
data class Pattern(
    val sensors: List<String>,
    val temperatures: Map<String, Double> = emptyMap(),
    val minimumConfidence: Map<String, Double> = emptyMap(),
)

/** From which coverage on a sensor is live, and the patterns that are calibrated. */
data class Availability(val least: Double, val patterns: List<Pattern>)

/** What the encoder of each sensor gives, and whether signals can be restored from it. */
data class Fusion(val tokens: Int, val width: Int, val restores: Boolean)

/** Least and greatest. */
data class Range(val least: Double, val greatest: Double) {
    operator fun contains(value: Double): Boolean = value >= least && value <= greatest
}

/** A Gaussian of nine features: means, and the lower triangle of its whitening by rows. */
data class Usual(val mean: List<Double>, val whitening: List<Double>)

/** What samples of a sensor of motion are held against before they are believed. */
data class Plausible(
    val sensor: String,
    val acceleration: List<String>,
    val turning: List<String>,
    val gravity: Range,
    val rest: Range,
    val turns: Range,
    val turnsPerG: Range,
    val run: Double,
    val rails: List<Double>,
    val usual: Usual? = null,
    val turned: Double? = null,
    val exchanged: Map<String, Double> = emptyMap(),
)

/** The golden vectors, and how far an engine may be from them by output. */
data class GoldenOf(
    val file: String,
    val bytes: Int,
    val sha256: String,
    val windows: Int,
    val steps: Int,
    val tolerance: Map<String, Double>,
)

/** Everything that a host needs to run the graphs of a bundle. */
class Manifest(
    val name: String,
    val version: String,
    val hash: String,
    val rate: Double,
    val samples: Int,
    val channels: List<Channel>,
    val embedding: List<Stage>,
    val tasks: List<Task>,
    val graphs: List<Graph>,
    val golden: GoldenOf,
    val baseline: BaselineOf? = null,
    val step: StepOf? = null,
    val tokens: Tokens? = null,
    val availability: Availability? = null,
    val fusion: Fusion? = null,
    val plausible: List<Plausible> = emptyList(),
) {
    /** Names of the sensors, in the order of the channels. */
    val sensors: List<String> = channels.map { it.sensor }.distinct()

    /** Seconds from one grid point to the next in a bundle with tokens. */
    val period: Double get() = Math.rint(1 / rate)

    /** Whether there is a graph that gives what was not observed. */
    val imputes: Boolean get() = tokens?.interpolated != null || fusion?.restores == true

    /** The rows of a sensor's channels. */
    fun rows(sensor: String): IntArray =
        channels.indices.filter { channels[it].sensor == sensor }.toIntArray()

    internal fun row(channel: String): Int = channels.indexOfFirst { it.name == channel }

    /** Name and version, as messages say them. */
    override fun toString(): String = "$name $version"
}
