// A bundle's constants and the folder of its files in, predictions on windows out.

import COnwrist
import Foundation

/// A model of the C host. It and its streams belong to one thread at a time, so every call on
/// any of them goes through this lock.
final class Handle: @unchecked Sendable {
    let model: OpaquePointer
    private let lock = NSLock()

    init(_ model: OpaquePointer) {
        self.model = model
    }

    deinit {
        onwrist_close(model)
    }

    func locked<Result>(_ work: (OpaquePointer) throws -> Result) rethrows -> Result {
        lock.lock()
        defer { lock.unlock() }
        return try work(model)
    }
}

/// A bundle on TensorFlow Lite. Calls run off the main thread, one at a time.
///
/// The generated type of a bundle opens it: `let model = try WristHimae.load()`.
public actor Model {
    public nonisolated let identity: ModelIdentity
    /// Names of the rows of a window.
    public nonisolated let channels: [String]
    public nonisolated let sensors: [String]
    /// Grid points a second.
    public nonisolated let rate: Double
    /// Grid points of a window.
    public nonisolated let windowSamples: Int

    nonisolated let layout: Layout
    nonisolated let handle: Handle

    /// Opens the graphs in `folder`, whose size and SHA-256 are checked first.
    ///
    /// - Parameters:
    ///   - bundle: the constants that were generated with the files; never freed.
    ///   - folder: where the bundle's files are, such as a folder of the app's resources.
    public init(bundle: UnsafePointer<onwrist_bundle>, folder: URL) throws {
        var made: OpaquePointer?
        try checked { words in
            onwrist_open(bundle, onwrist_tflite(), folder.path, &made, words)
        }
        guard let opened = made else {
            throw OnwristError.engine("The model was not opened.")
        }
        let layout = Layout(bundle.pointee)
        handle = Handle(opened)
        self.layout = layout
        identity = layout.identity
        channels = layout.channels
        sensors = layout.sensors
        rate = layout.rate
        windowSamples = layout.samples
    }

    /// Predicts on one window.
    ///
    /// - Parameters:
    ///   - values: row by row (channels, samples) on the grid, NaN where missing.
    ///   - observed: the same shape; nil for all but NaN.
    ///   - baseline: mean and scale of each channel, NaN where unknown; nil for none.
    ///   - start: seconds at which it begins. A day must say it.
    ///   - midnight: days: a local midnight on the clock of `start`; 0 for local time.
    ///   - impute: whether to give the window without gaps.
    public func predict(
        _ values: [Float], observed: [Bool]? = nil, baseline: [Double]? = nil,
        start: Double? = nil, midnight: Double = 0, impute: Bool = false
    ) throws -> Prediction {
        let count = channels.count * windowSamples
        guard values.count == count, observed.map({ $0.count == count }) ?? true else {
            throw OnwristError.input(
                "A window of \(identity.name) is \(channels.count) channels of \(windowSamples) "
                    + "samples, \(count) numbers; you passed \(values.count) values"
                    + (observed.map { " and \($0.count) observed." } ?? "."))
        }
        guard baseline.map({ $0.count == 2 * channels.count }) ?? true else {
            throw OnwristError.input(
                "A baseline is a mean and a scale for each of \(channels.count) channels; you "
                    + "passed \(baseline?.count ?? 0) numbers.")
        }
        let seen = observed?.map { UInt8($0 ? 1 : 0) }
        return try handle.locked { model in
            try values.withUnsafeBufferPointer { values in
                try withOptional(seen) { seen in
                    try withOptional(baseline) {
                        (baseline: UnsafePointer<Double>?) throws -> Prediction in
                        var window = onwrist_window_of(values.baseAddress)
                        window.observed = seen
                        window.baseline = baseline
                        window.start = start ?? .nan
                        window.midnight = midnight
                        window.impute = impute
                        var given: UnsafePointer<onwrist_prediction>?
                        try checked { words in
                            onwrist_predict(model, &window, &given, words)
                        }
                        guard let prediction = given else {
                            throw OnwristError.engine("The model gave no prediction.")
                        }
                        return Prediction(prediction.pointee, layout)
                    }
                }
            }
        }
    }

    /// Replays the golden vectors with the engine on this processor.
    ///
    /// Does not throw where an output is too far off: `passed` is then false.
    public func verify() throws -> Verification {
        try handle.locked { (model: OpaquePointer) throws -> Verification in
            var report = onwrist_report()
            do {
                try checked { words in onwrist_verify(model, nil, 0, &report, words) }
            } catch OnwristError.parity {
                // The report says by how much.
            }
            return Verification(report, layout)
        }
    }

    /// A stream of samples with time stamps on this model.
    public nonisolated func stream(_ options: StreamOptions = StreamOptions()) throws
        -> SampleStream
    {
        try SampleStream(handle, layout, options)
    }
}

/// Gives the address of an array's first element, or nil where there is no array.
func withOptional<Element, Result>(
    _ array: [Element]?, _ work: (UnsafePointer<Element>?) throws -> Result
) rethrows -> Result {
    guard let array else { return try work(nil) }
    return try array.withUnsafeBufferPointer { try work($0.baseAddress) }
}
