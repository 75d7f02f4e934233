// A status of the C host and its words in, an error of Swift out.

import COnwrist
import Foundation

/// Why a call failed: the text says what was given and what to do.
public enum OnwristError: Error, Equatable, Sendable {
    /// The values, times, names or options that you passed cannot be used.
    case input(String)
    /// A file is missing, or is not that of the bundle.
    case bundle(String)
    /// The engine cannot open a graph, or failed on it.
    case engine(String)
    /// The engine does not give the golden numbers on this processor.
    case parity(String)
    /// There is not enough memory.
    case memory(String)

    public var text: String {
        switch self {
        case .input(let text), .bundle(let text), .engine(let text), .parity(let text),
            .memory(let text):
            return text
        }
    }
}

extension OnwristError: LocalizedError {
    public var errorDescription: String? { text }
}

/// Calls a function of the C host; its words become an error unless it succeeded.
func checked(
    _ call: (UnsafeMutablePointer<onwrist_error>) -> onwrist_status
) throws {
    var words = onwrist_error()
    let status = call(&words)
    if status == ONWRIST_OK {
        return
    }
    let text = sentence(words)
    switch status {
    case ONWRIST_BUNDLE: throw OnwristError.bundle(text)
    case ONWRIST_ENGINE: throw OnwristError.engine(text)
    case ONWRIST_PARITY: throw OnwristError.parity(text)
    case ONWRIST_MEMORY: throw OnwristError.memory(text)
    default: throw OnwristError.input(text)
    }
}

private func sentence(_ words: onwrist_error) -> String {
    withUnsafeBytes(of: words.text) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
}
