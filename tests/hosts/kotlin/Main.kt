// What the tests ask of the host, each as one word and a path; the answer is JSON on stdout.
package dev.onwrist

import java.io.File

fun main(arguments: Array<String>) {
    val (what, path) = arguments
    val answer: Any? = when (what) {
        "vectors" -> vectors(Json.read(File(path).readText()))
        "self-tests" -> selfTests(File(path))
        "predictions" -> predictions(Fields(Json.read(File(path).readText())))
        "refusals" -> refusals(File(path))
        "odd" -> odd()
        "examples" -> examples(Fields(Json.read(File(path).readText())))
        else -> throw IllegalArgumentException(what)
    }
    println(json(answer))
    // The engine's threads would keep the process alive for a while.
    System.out.flush()
    Runtime.getRuntime().halt(0)
}

/** Every list of cases in a file of vectors, as what the host gives for each. */
private fun vectors(file: Any?): Any? = when (file) {
    is List<*> -> file.map { expectedOf(Fields(it)) }
    is Map<*, *> -> file.filterValues { part -> part is List<*> && part.all { it is Map<*, *> } }
        .mapValues { (_, part) -> vectors(part) }
    else -> throw IllegalArgumentException("no cases")
}
