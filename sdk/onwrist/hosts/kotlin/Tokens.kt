// What was observed of a day in, what its graphs are told of it out: which patches are
// tokens and in which slots, the nearest observed grid points, and the time of day.
package dev.onwrist

import kotlin.math.abs

/** How the windows of a bundle are cut into tokens. */
internal class Cut(
    val samples: Int,
    val patch: Int,
    private val rows: List<IntArray>,
    private val least: List<Int>,
    val width: Int,
    val sizes: List<Int>,
    val interpolated: Int?,
    private val period: Double,
) {
    constructor(manifest: Manifest, tokens: Tokens) : this(
        manifest.samples,
        tokens.patch,
        tokens.groups.map { group -> group.channels.map(manifest::row).toIntArray() },
        tokens.groups.map { it.least },
        tokens.width,
        tokens.sizes,
        tokens.interpolated?.let(manifest::row),
        manifest.period,
    )

    /** Patches of a window, and of a day. */
    val patches: Int get() = samples / patch

    /** Tokens of one patch. */
    val groups: Int get() = rows.size

    /** Which tokens there are in a window of whole patches. */
    fun present(window: Window): BooleanArray =
        BooleanArray(window.samples / patch * groups) { token ->
            val group = token % groups
            val first = token / groups * patch
            val points = (first until first + patch).count { point ->
                rows[group].any { window.observed[it * window.samples + point] }
            }
            points >= least[group]
        }

    /** The token of each row that the encoder takes, ascending, and -1 in what is left. */
    fun slots(present: BooleanArray): IntArray {
        val there = present.indices.filter { present[it] }
        val size = sizes.first { it >= there.size }
        return IntArray(size) { if (it < there.size) there[it] else -1 }
    }

    /** The patch of the local day that a window begins with, at a multiple after [midnight]. */
    fun clock(start: Double, midnight: Double): Int {
        val seconds = patch * period
        val at = Math.rint((start - midnight) / seconds)
        val off = start - midnight - at * seconds
        if (abs(off) > SAME_TIME) {
            val spoken = if (seconds % 60 == 0.0) "${significant(seconds / 60)} minutes" else
                "${significant(seconds)} s"
            throw InputError(
                "a window begins at a multiple of $spoken after midnight, and start=$start is " +
                    "not at one (midnight=$midnight): state the midnight of its clock, or " +
                    "choose another start",
            )
        }
        return Math.floorMod(at.toLong(), patches.toLong()).toInt()
    }
}

/** The nearest observed grid point at or before each, -1 where there is none. */
internal fun nearestBefore(observed: BooleanArray): FloatArray {
    var last = -1
    return FloatArray(observed.size) { point ->
        if (observed[point]) last = point
        last.toFloat()
    }
}

/** The nearest observed grid point at or after each, their number where there is none. */
internal fun nearestAfter(observed: BooleanArray): FloatArray {
    val after = FloatArray(observed.size)
    var next = observed.size
    for (point in observed.indices.reversed()) {
        if (observed[point]) next = point
        after[point] = next.toFloat()
    }
    return after
}
