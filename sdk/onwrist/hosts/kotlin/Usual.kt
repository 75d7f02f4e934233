// Features of motion and what is usual in; out, how much better another arrangement is.
//
// A likelihood only compares: that of the features as they came with that of the same
// features with axes swapped or signs flipped, or with two sensors exchanged.
package dev.onwrist

import kotlin.math.ln

private class Arrangement(val order: IntArray, val sign: IntArray)

/** The 47 other orders and signs of three axes, as `itertools` counts them. */
private val ARRANGEMENTS: List<Arrangement> = buildList {
    for (first in 0 until AXES) for (second in 0 until AXES) for (third in 0 until AXES) {
        if (setOf(first, second, third).size < AXES) continue
        for (bits in 0 until 8) {
            val sign = IntArray(AXES) { if (bits shr (AXES - 1 - it) and 1 == 1) -1 else 1 }
            val plain = first == 0 && second == 1 && bits == 0
            if (!plain) add(Arrangement(intArrayOf(first, second, third), sign))
        }
    }
}

/** The Gaussians of some sensors. */
internal class Likelihood(private val usual: List<Usual>) {
    private val constant = DoubleArray(usual.size) { k ->
        (0 until FEATURES).sumOf { ln(usual[k].whitening[it * (it + 3) / 2]) }
    }

    /** Log-likelihood of features under the Gaussian of a sensor, less what all share. */
    fun of(sensor: Int, features: DoubleArray): Double {
        val one = usual[sensor]
        var squares = 0.0
        var place = 0
        for (row in 0 until FEATURES) {
            var white = 0.0
            for (column in 0..row) {
                white += (features[column] - one.mean[column]) * one.whitening[place]
                place += 1
            }
            squares += white * white
        }
        return constant[sensor] - 0.5 * squares
    }

    /** By how much each other arrangement of its axes explains a sensor better. */
    fun turned(sensor: Int, features: DoubleArray): DoubleArray {
        val own = of(sensor, features)
        return DoubleArray(ARRANGEMENTS.size) { k ->
            val other = ARRANGEMENTS[k]
            val arranged = DoubleArray(FEATURES) { feature ->
                val axis = feature % AXES
                val from = features[feature - axis + other.order[axis]]
                if (feature < AXES) from * other.sign[axis] else from
            }
            of(sensor, arranged) - own
        }
    }

    /** By how much it is a better explanation that two sensors are exchanged. */
    fun exchanged(one: Int, other: Int, features: List<DoubleArray>): Double =
        of(one, features[other]) + of(other, features[one]) -
            of(one, features[one]) - of(other, features[other])
}

/** Which axes stand where x, y and z should, such as "-x, z, y". */
internal fun arrangementInWords(arrangement: Int): String {
    val found = ARRANGEMENTS[arrangement]
    return (0 until AXES).joinToString { axis ->
        (if (found.sign[axis] < 0) "-" else "") + "xyz"[found.order[axis]]
    }
}
