// Fields of a manifest's JSON in, the host's records out: what the vectors say of a bundle.
package dev.onwrist

internal class Fields(given: Any?) {
    private val map = given as Map<*, *>

    operator fun contains(name: String): Boolean = map[name] != null

    fun any(name: String): Any? = map[name]

    fun of(name: String): Fields = Fields(map[name])

    fun text(name: String): String = map[name] as String

    fun textOrNull(name: String): String? = map[name] as String?

    fun number(name: String): Double = map[name] as Double

    fun whole(name: String): Int = number(name).toInt()

    fun flag(name: String): Boolean = map[name] as Boolean

    fun list(name: String): List<*> = (map[name] as List<*>?) ?: emptyList<Any>()

    fun all(name: String): List<Fields> = list(name).map(::Fields)

    fun texts(name: String): List<String> = list(name).map { it as String }

    fun wholes(name: String): List<Int> = list(name).map { (it as Double).toInt() }

    fun numbers(name: String): Map<String, Double> =
        (map[name] as Map<*, *>?).orEmpty().entries.associate { it.key as String to it.value as Double }

    /** Missing numbers are NaN. */
    fun doubles(name: String): DoubleArray = doubles(list(name))

    fun floats(name: String): FloatArray = floats(list(name))
}

internal fun doubles(list: List<*>): DoubleArray =
    DoubleArray(list.size) { list[it] as Double? ?: Double.NaN }

internal fun floats(list: List<*>): FloatArray =
    FloatArray(list.size) { (list[it] as Double? ?: Double.NaN).toFloat() }

internal fun taskOf(fields: Fields) = Task(
    fields.text("name"),
    Kind.valueOf(fields.text("kind").uppercase()),
    fields.textOrNull("unit"),
    fields.texts("labels"),
    fields.numbers("required"),
    fields.numbers("any_of"),
    fields.number("minimum_confidence"),
)

internal fun patternOf(fields: Fields) = Pattern(
    fields.texts("sensors"),
    fields.numbers("temperatures"),
    fields.numbers("minimum_confidence"),
)

private fun usualOf(fields: Fields) =
    Usual(fields.doubles("mean").toList(), fields.doubles("whitening").toList())

internal fun plausibleOf(fields: Fields): Plausible {
    fun range(name: String) = fields.doubles(name).let { Range(it[0], it[1]) }
    return Plausible(
        fields.text("sensor"),
        fields.texts("acceleration"),
        fields.texts("turning"),
        range("gravity"),
        range("rest"),
        range("turns"),
        range("turns_per_g"),
        fields.number("run"),
        fields.doubles("rails").toList(),
        if ("usual" in fields) usualOf(fields.of("usual")) else null,
        if ("turned" in fields) fields.number("turned") else null,
        fields.numbers("exchanged"),
    )
}

/** The manifest of a case of a stream: it has no graphs and no golden vectors. */
internal fun manifestOf(fields: Fields): Manifest {
    fun <T> optional(name: String, make: (Fields) -> T): T? =
        if (name in fields) make(fields.of(name)) else null
    return Manifest(
        name = "vectors",
        version = "1",
        hash = "",
        rate = fields.number("rate"),
        samples = fields.whole("samples"),
        channels = fields.all("channels").map {
            Channel(
                it.text("name"), it.text("sensor"), it.number("rate"), "1", "", -1.0, 1.0,
                Aggregation.valueOf(it.text("aggregation").uppercase()),
            )
        },
        embedding = listOf(Stage("all", 0, 1)),
        tasks = fields.all("tasks").map(::taskOf),
        graphs = emptyList(),
        golden = GoldenOf("golden.safetensors", 0, "", 0, 0, emptyMap()),
        baseline = optional("baseline") { BaselineOf(it.number("seconds"), it.whole("samples")) },
        step = optional("step") { StepOf(it.whole("samples"), it.whole("state")) },
        tokens = optional("tokens") { tokens ->
            Tokens(
                tokens.whole("patch"),
                tokens.all("groups").map { Group(it.text("name"), it.texts("channels"), it.whole("least")) },
                tokens.whole("width"),
                tokens.wholes("sizes"),
                tokens.textOrNull("interpolated"),
            )
        },
        availability = optional("availability") {
            Availability(it.number("least"), it.all("patterns").map(::patternOf))
        },
        plausible = fields.all("plausible").map(::plausibleOf),
    )
}
