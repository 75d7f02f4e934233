// Samples with time stamps in, predictions as they come due out.

import COnwrist
import Foundation

/// How a stream runs; what is nil is what the bundle suggests.
public struct StreamOptions: Equatable, Sendable {
    public enum Mode: Sendable {
        case step, window
    }

    /// Seconds between predictions.
    public var hop: Double?
    /// Seconds that a sample may be older than the newest of all sensors.
    public var lateness: Double = 2
    /// By steps where the bundle has a step graph, or by whole windows.
    public var mode: Mode?
    /// Native rate by channel, where it is not the bundle's.
    public var rates: [String: Double] = [:]
    /// Days: a local midnight on the clock of the samples.
    public var midnight: Double = 0
    /// Whether to give each window without gaps.
    public var impute: Bool = false

    public init() {}
}

/// A stream of samples, not called Stream as Foundation has one of bytes.
///
/// The same time-honest stream as in Python: late, duplicate, out-of-order and missing samples
/// have defined results, and memory is bounded.
public actor SampleStream {
    private let source: Source
    private let layout: Layout
    /// Predictions from before an engine failed, given with the next call.
    private var pending: [Prediction] = []

    init(_ handle: Handle, _ layout: Layout, _ options: StreamOptions) throws {
        for name in options.rates.keys where !layout.channels.contains(name) {
            throw OnwristError.input(
                "There is no channel \(name); there are: "
                    + layout.channels.joined(separator: ", ") + ".")
        }
        var chosen = onwrist_stream_defaults()
        chosen.hop = options.hop ?? 0
        chosen.lateness = options.lateness
        switch options.mode {
        case .step: chosen.mode = ONWRIST_MODE_STEP
        case .window: chosen.mode = ONWRIST_MODE_WINDOW
        case nil: chosen.mode = ONWRIST_MODE_DEFAULT
        }
        chosen.midnight = options.midnight
        chosen.impute = options.impute
        let rates = layout.channels.map { options.rates[$0] ?? 0 }
        var made: OpaquePointer?
        try handle.locked { model in
            try rates.withUnsafeBufferPointer { rates in
                chosen.rates = rates.baseAddress
                try checked { words in onwrist_stream_create(model, &chosen, &made, words) }
            }
        }
        guard let stream = made else {
            throw OnwristError.memory("The stream was not made.")
        }
        source = Source(handle, stream)
        self.layout = layout
    }

    /// Takes samples of a channel or a sensor and predicts what has come due.
    ///
    /// - Parameters:
    ///   - name: a channel, or a sensor whose channels come together.
    ///   - times: seconds, in any order, on one clock for all sensors.
    ///   - samples: one number for each time and channel, sample by sample; NaN where missing.
    public func push(_ name: String, times: [Double], samples: [Float]) throws -> [Prediction] {
        guard let width = layout.width(of: name) else {
            throw OnwristError.input(
                "There is no channel or sensor \(name); there are: "
                    + (layout.channels + layout.sensors).joined(separator: ", ") + ".")
        }
        guard samples.count == times.count * width else {
            throw OnwristError.input(
                "\(name) has \(width) numbers a sample: \(times.count) times need "
                    + "\(times.count * width) numbers; you passed \(samples.count).")
        }
        return try received { stream, receive, context, words in
            onwrist_push(
                stream, name, times, samples, times.count, receive, context, words)
        }
    }

    /// Settles every sample; then nothing can be pushed before a reset.
    ///
    /// - Parameter atLeastOne: where samples came, but for less than a window, give one whose
    ///   rest is unobserved; of days, go on to the end of the hop of the newest sample.
    public func flush(atLeastOne: Bool = false) throws -> [Prediction] {
        try received { stream, receive, context, words in
            onwrist_flush(stream, atLeastOne, receive, context, words)
        }
    }

    /// Forgets every sample; another clock may begin.
    public func reset() {
        pending = []
        source.locked { onwrist_reset($0) }
    }

    /// What became of the samples of each channel.
    public var counters: [String: Counters] {
        byChannel { stream, row in Counters(onwrist_counters_of(stream, row)) }
    }

    /// Seconds from each channel's last sample to the newest of all; none without one.
    public var staleness: [String: Double] {
        byChannel { stream, row in number(onwrist_staleness(stream, row)) }
    }

    /// Seconds from the end of the last prediction to the newest sample; nil before one.
    public var latency: Double? {
        source.locked { number(onwrist_latency($0)) }
    }

    /// Seconds between predictions.
    public var hop: Double {
        source.locked { onwrist_hop($0) }
    }

    /// Whether it goes by steps.
    public var steps: Bool {
        source.locked { onwrist_steps($0) }
    }

    /// The grid of the last window, row by row (channels, samples), for drawing; nil before one.
    public var window: Imputed? {
        let count = layout.channels.count * layout.samples
        return source.locked { (stream: OpaquePointer) -> Imputed? in
            guard number(onwrist_latency(stream)) != nil else { return nil }
            var values: UnsafePointer<Float>?
            var observed: UnsafePointer<UInt8>?
            onwrist_last_window(stream, &values, &observed)
            guard let drawn = copied(values, count), let seen = copied(observed, count) else {
                return nil
            }
            return Imputed(values: drawn, observed: seen.map { $0 != 0 })
        }
    }

    private func byChannel<Value>(_ work: (OpaquePointer, Int32) -> Value?) -> [String: Value] {
        source.locked { stream in
            var found: [String: Value] = [:]
            for (row, name) in layout.channels.enumerated() {
                found[name] = work(stream, Int32(row))
            }
            return found
        }
    }

    private func received(
        _ call: (
            OpaquePointer, onwrist_receive, UnsafeMutableRawPointer,
            UnsafeMutablePointer<onwrist_error>
        ) -> onwrist_status
    ) throws -> [Prediction] {
        let box = Received(layout)
        var failure: Error?
        do {
            try source.locked { stream in
                try checked { words in
                    call(stream, keep, Unmanaged.passUnretained(box).toOpaque(), words)
                }
            }
        } catch {
            failure = error
        }
        let given = pending + box.predictions
        if let failure {
            pending = given
            throw failure
        }
        pending = []
        return given
    }
}

/// A stream of the C host, freed before its model.
private final class Source: @unchecked Sendable {
    private let handle: Handle
    private let stream: OpaquePointer

    init(_ handle: Handle, _ stream: OpaquePointer) {
        self.handle = handle
        self.stream = stream
    }

    deinit {
        handle.locked { _ in onwrist_stream_free(stream) }
    }

    func locked<Result>(_ work: (OpaquePointer) throws -> Result) rethrows -> Result {
        try handle.locked { _ in try work(stream) }
    }
}

private final class Received {
    let layout: Layout
    var predictions: [Prediction] = []

    init(_ layout: Layout) {
        self.layout = layout
    }
}

/// Called by the C host for each prediction, which holds only until this returns.
private func keep(
    _ context: UnsafeMutableRawPointer?, _ given: UnsafePointer<onwrist_prediction>?
) {
    guard let context, let given else { return }
    let box = Unmanaged<Received>.fromOpaque(context).takeUnretainedValue()
    box.predictions.append(Prediction(given.pointee, box.layout))
}
