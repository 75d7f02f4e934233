// Every error that an app can see, in one shallow tree.
package dev.onwrist

/** Base of all errors that onwrist raises on purpose. */
open class OnwristError(message: String, cause: Throwable? = null) :
    RuntimeException(message, cause)

/** The values, times, names or options that you passed cannot be used. */
class InputError(message: String) : OnwristError(message)

/** A file of the bundle is missing, altered, or not what the constants describe. */
class BundleError(message: String, cause: Throwable? = null) : OnwristError(message, cause)

/** The engine cannot open a graph of the bundle, or failed on it. */
class EngineError(message: String, cause: Throwable? = null) : OnwristError(message, cause)

/** An engine does not give the bundle's golden numbers on this processor. */
class ParityError(message: String) : OnwristError(message)
