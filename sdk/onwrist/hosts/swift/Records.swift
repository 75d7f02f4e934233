// What a model says of a window, as values of Swift: nothing here points into the C host.

import Foundation

/// What one task answers on one window.
public struct TaskResult: Equatable, Sendable {
    public let name: String
    /// Of a regression; nil when abstained.
    public let value: Double?
    /// Of a regression.
    public let unit: String?
    /// Of a classification; nil when abstained.
    public let label: String?
    /// By label, in the bundle's order; nil when abstained or of a regression.
    public let probabilities: [Float]?
    /// From 0 to 1; nil when nothing was computed.
    public let confidence: Double?
    public let abstained: Bool
    /// Why it abstained, in words; nil when it answered.
    public let reason: String?
}

/// What became of one sensor in one window.
public struct SensorState: Equatable, Sendable {
    public let name: String
    /// Share of observed grid points of all its channels, 0 to 1.
    public let coverage: Double
    public let used: Bool
    /// How much it counted; nil where the bundle does not fuse sensors.
    public let weight: Double?
    /// Why it was not used, in words.
    public let reason: String?
}

/// The window without gaps, of a bundle that imputes or restores.
public struct Imputed: Equatable, Sendable {
    /// Row by row (channels, samples), in the units of the channels.
    public let values: [Float]
    /// The same shape: true where the value was observed.
    public let observed: [Bool]
}

/// Which model answered: its hash covers every file of the bundle.
public struct ModelIdentity: Equatable, Hashable, Sendable {
    public let name: String
    public let version: String
    public let hash: String
}

/// One window: tasks, coverage, sensors, embedding and when it was.
public struct Prediction: Equatable, Sendable {
    public let tasks: [TaskResult]
    /// By channel: share of observed grid points, 0 to 1.
    public let coverage: [String: Double]
    public let sensors: [SensorState]
    /// Nil when nothing was run.
    public let embedding: [Float]?
    /// Seconds on the clock of the samples; nil if unknown.
    public let start: Double?
    public let end: Double?
    public let imputed: Imputed?
    public let model: ModelIdentity

    /// The task of this name; nil if the bundle has none.
    public subscript(task: String) -> TaskResult? {
        tasks.first { $0.name == task }
    }
}

/// How far the engine is from the golden vectors on this processor.
public struct Verification: Equatable, Sendable {
    public struct Output: Equatable, Sendable {
        public let name: String
        /// Largest absolute difference over the golden windows.
        public let difference: Double
        /// The same over the golden steps; nil where the bundle has none.
        public let stepDifference: Double?
        public let tolerance: Double
    }

    public let outputs: [Output]
    public let windows: Int
    public let steps: Int
    public let passed: Bool
    /// Whether it passed by the wider tolerance of engines that round ties otherwise, as
    /// TensorFlow Lite may; `tolerance` is then that one.
    public let loose: Bool
}

/// What became of the samples of one channel.
public struct Counters: Equatable, Sendable {
    public let samples: Int
    /// Dropped, as older than the newest stamp by more than the lateness.
    public let late: Int
    /// Dropped, as there was another at the same stamp.
    public let duplicate: Int
    /// Resampled from a stamp that was off the line of its clock.
    public let repaired: Int
}

/// One row of a window.
public struct ChannelInfo: Equatable, Sendable {
    public let name: String
    public let sensor: String
    /// Nominal native sampling rate, Hz.
    public let rate: Double
    public let unit: String
    public let polarity: String
    /// Plausible range, in the unit.
    public let range: ClosedRange<Double>

    public init(
        name: String, sensor: String, rate: Double, unit: String, polarity: String,
        range: ClosedRange<Double>
    ) {
        self.name = name
        self.sensor = sensor
        self.rate = rate
        self.unit = unit
        self.polarity = polarity
        self.range = range
    }
}

/// What a task asks of a window before it answers.
public struct TaskInfo: Equatable, Sendable {
    public let name: String
    /// Of a regression.
    public let unit: String?
    /// Of a classification.
    public let labels: [String]
    /// Least coverage by channel, all of them.
    public let required: [String: Double]
    /// Least coverage by channel, at least one of them.
    public let anyOf: [String: Double]
    /// Least confidence of an answer; where the bundle has patterns, theirs counts.
    public let minimumConfidence: Double

    public init(
        name: String, unit: String?, labels: [String], required: [String: Double],
        anyOf: [String: Double], minimumConfidence: Double
    ) {
        self.name = name
        self.unit = unit
        self.labels = labels
        self.required = required
        self.anyOf = anyOf
        self.minimumConfidence = minimumConfidence
    }
}

/// Least confidence of an answer where just these sensors are live; other tasks abstain.
public struct PatternInfo: Equatable, Sendable {
    public let sensors: [String]
    public let minimumConfidence: [String: Double]

    public init(sensors: [String], minimumConfidence: [String: Double]) {
        self.sensors = sensors
        self.minimumConfidence = minimumConfidence
    }
}
