// A window of several sensors in; out, those that cannot be believed, and why, in words.
//
// A sensor that is not plausible is left out as if it were not there. Only what is observed
// counts, and of too little nothing is said.
package dev.onwrist

import kotlin.math.max

private const val LEAST_SEEN = 0.25 // share of a window in which all channels are observed
private const val STILL = 1e-6 // g, below the noise of any sensor
private const val RADIAN = 57.29578 // degrees

// What gravity looks like in another unit, and where a sensor's range is taken for another.
private val SCALES = listOf(
    9.80665 to "in m/s2",
    1000.0 to "in mg",
    0.25 to "a quarter",
    4.0 to "fourfold",
    0.5 to "half",
    2.0 to "double",
)

/** What is plausible, ready for any number of windows. */
internal class Plausibility(
    private val records: List<Plausible>,
    channels: List<String>,
    private val rate: Double,
) {
    private val names = records.map { it.acceleration + it.turning }
    private val rows = names.map { own -> own.map(channels::indexOf).toIntArray() }
    private val described = records.indices.filter { records[it].usual != null }
    private val likelihood = Likelihood(described.mapNotNull { records[it].usual })

    /** Why a sensor cannot be believed, for each that cannot. */
    fun implausible(window: Window): Map<String, String> {
        val found = rows.map { looks(window.rows(it), rate) }
        val reasons = LinkedHashMap<String, String>()
        val able = BooleanArray(records.size)
        for ((k, one) in records.withIndex()) {
            if (found[k].count < LEAST_SEEN * window.samples) continue
            if (within(one, found[k], window.samples)) {
                able[k] = true
            } else {
                reasons[one.sensor] = why(one, names[k], found[k], window.samples)
            }
        }
        return reasons + ofArrangement(found, able)
    }

    private fun within(record: Plausible, found: Looks, samples: Int): Boolean {
        val count = max(found.count, 1).toDouble()
        return found.run.max() <= record.run * samples &&
            found.rails.take(AXES).max() / count <= record.rails[0] &&
            found.rails.drop(AXES).max() / count <= record.rails[1] &&
            found.gravity in record.gravity &&
            found.restLow >= record.rest.least &&
            max(found.restHigh, 0.0) <= record.rest.greatest &&
            found.turns in record.turns &&
            found.turns / max(found.shakes, STILL) in record.turnsPerG
    }

    /** What is wrong with the samples of a sensor on their own. */
    private fun why(record: Plausible, names: List<String>, found: Looks, samples: Int): String {
        val count = found.count
        val saturated = (0..1).map { part -> part * AXES + first(found.rails, part * AXES, AXES) }
            .filter { axis -> found.rails[axis] > record.rails[axis / AXES] * count }
        val axis = first(found.run, 0, found.run.size)
        // What is at its limit often stays there; but it comes back as well, and again.
        val returns = saturated.any { found.run[it] < found.rails[it] && found.rails[it] < count }
        if (found.run[axis] > record.run * samples && !returns) {
            return "constant: ${found.run[axis]} samples of ${names[axis]} in a row are the same"
        }
        if (saturated.isNotEmpty()) {
            val extreme = saturated[0]
            val share = percent(found.rails[extreme].toDouble() / count)
            return "saturated: $share of ${names[extreme]} are one extreme value"
        }
        for (rest in doubleArrayOf(found.restLow, found.restHigh)) {
            if (rest.isFinite() && rest !in record.rest) {
                return "its acceleration at rest is ${significant(rest, 3)} g${unit(rest, record.rest)}"
            }
        }
        if (found.gravity !in record.gravity) {
            val gravity = significant(found.gravity, 3)
            return "its median acceleration is $gravity g${unit(found.gravity, record.rest)}"
        }
        return ofTurning(record, found.turns, found.shakes)
    }

    /** Which sensors other axes, or each other's place, explain better; the best first. */
    private fun ofArrangement(found: List<Looks>, able: BooleanArray): Map<String, String> {
        val features = described.map { found[it].features }
        val claims = ArrayList<Pair<Double, Map<String, String>>>()
        for ((k, index) in described.withIndex()) {
            val margin = records[index].turned ?: continue
            if (!able[index]) continue
            val better = likelihood.turned(k, features[k])
            val best = better.indices.maxByOrNull { better[it] } ?: continue
            if (better[best] - margin <= 0) continue
            val why = "explained better with ${arrangementInWords(best)} for its axes x, y, z"
            claims.add(better[best] - margin to mapOf(records[index].sensor to why))
        }
        for ((i, one) in described.withIndex()) for ((j, other) in described.withIndex()) {
            val margin = records[one].exchanged[records[other].sensor] ?: continue
            if (!able[one] || !able[other]) continue
            val excess = likelihood.exchanged(i, j, features) - margin
            if (excess <= 0) continue
            val sensors = listOf(records[one].sensor, records[other].sensor)
            val why = "explained better by ${sensors[0]} and ${sensors[1]} exchanged"
            claims.add(excess to sensors.associateWith { why })
        }
        val reasons = LinkedHashMap<String, String>()
        for ((_, claim) in claims.sortedByDescending { it.first }) {
            if (claim.keys.none { it in reasons }) reasons += claim
        }
        return reasons
    }
}

/** The first of the largest of so many numbers, counted from where they begin. */
private fun first(numbers: IntArray, start: Int, count: Int): Int {
    var best = 0
    for (k in 1 until count) if (numbers[start + k] > numbers[start + best]) best = k
    return best
}

private fun ofTurning(record: Plausible, turns: Double, shakes: Double): String {
    val radians = if (turns * RADIAN in record.turns) ": in rad/s?" else ""
    fun range(limits: Range): String =
        "${significant(limits.least, 3)} to ${significant(limits.greatest, 3)}$radians"
    if (turns !in record.turns) {
        return "it turns by ${significant(turns, 3)} deg/s and not ${range(record.turns)}"
    }
    val ratio = significant(turns / max(shakes, STILL), 3)
    return "it turns by $ratio deg/s for each g of acceleration and not ${range(record.turnsPerG)}"
}

/** What explains an acceleration that is not that of gravity: the end of a sentence. */
private fun unit(gravity: Double, rest: Range): String {
    for ((scale, what) in SCALES) {
        if (gravity / scale !in rest) continue
        return if (what.startsWith("in ")) ": $what?" else ": $what the gravity, in another range?"
    }
    return " and not ${fixed(rest.least, 2)} to ${fixed(rest.greatest, 2)}"
}
