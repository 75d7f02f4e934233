// Structs of the C host in, copies as values of Swift out.
//
// They hold only until the next call on their model, so everything is copied here, and here
// alone. A number that is not there is NaN in C and nil in Swift.

import COnwrist
import Foundation

func string(_ text: UnsafePointer<CChar>?) -> String? {
    text.map { String(cString: $0) }
}

func number(_ value: Double) -> Double? {
    value.isNaN ? nil : value
}

func copied<Element>(_ start: UnsafePointer<Element>?, _ count: Int) -> [Element]? {
    start.map { Array(UnsafeBufferPointer(start: $0, count: count)) }
}

extension ModelIdentity {
    init(_ raw: onwrist_bundle) {
        name = string(raw.name) ?? ""
        version = string(raw.version) ?? ""
        hash = string(raw.hash) ?? ""
    }
}

/// What Swift asks of a bundle's constants.
struct Layout: Sendable {
    let identity: ModelIdentity
    let rate: Double
    let samples: Int
    let channels: [String]
    let sensors: [String]
    /// By channel.
    let sensorOfChannel: [String]
    let tasks: [String]
    let embedding: Int
    /// By output: the embedding, the tasks, then weights and imputed if there are any.
    let tolerances: [Double]
    /// The same, for engines that round ties otherwise.
    let looseTolerances: [Double]
    let outputs: [String]

    init(_ raw: onwrist_bundle) {
        identity = ModelIdentity(raw)
        rate = raw.rate
        samples = Int(raw.samples)
        channels = (0..<Int(raw.channel_count)).map { channelName(raw.channels[$0]) }
        sensorOfChannel = (0..<Int(raw.channel_count)).map { sensorName(raw.channels[$0]) }
        sensors = (0..<Int(raw.sensor_count)).map { string(raw.sensors[$0]) ?? "" }
        tasks = (0..<Int(raw.task_count)).map { taskName(raw.tasks[$0]) }
        embedding = Int(raw.embedding)
        var names = ["embedding"] + tasks
        if raw.fusion_tokens > 0 {
            names.append("weights")
        }
        if raw.restores || (raw.patch > 0 && raw.interpolated >= 0) {
            names.append("imputed")
        }
        outputs = names
        (tolerances, looseTolerances) = goldenTolerances(raw.golden, names.count)
    }

    /// How many numbers a sample of a channel or sensor has; nil for a name of neither.
    func width(of name: String) -> Int? {
        let axes = sensorOfChannel.filter { $0 == name }.count
        return axes > 0 ? axes : (channels.contains(name) ? 1 : nil)
    }
}

private func channelName(_ raw: onwrist_channel) -> String { string(raw.name) ?? "" }
private func sensorName(_ raw: onwrist_channel) -> String { string(raw.sensor) ?? "" }
private func taskName(_ raw: onwrist_task) -> String { string(raw.name) ?? "" }

private func goldenTolerances(_ raw: onwrist_golden, _ count: Int) -> ([Double], [Double]) {
    (copied(raw.tolerance, count) ?? [], copied(raw.loose, count) ?? [])
}

extension TaskResult {
    init(_ raw: onwrist_result) {
        name = string(raw.name) ?? ""
        value = number(raw.value)
        unit = string(raw.unit)
        label = string(raw.label)
        probabilities = copied(raw.probabilities, Int(raw.probability_count))
        confidence = number(raw.confidence)
        abstained = raw.abstained
        reason = string(raw.reason)
    }
}

extension SensorState {
    init(_ raw: onwrist_sensor) {
        name = string(raw.name) ?? ""
        coverage = raw.coverage
        used = raw.used
        weight = number(raw.weight)
        reason = string(raw.reason)
    }
}

extension Prediction {
    init(_ raw: onwrist_prediction, _ layout: Layout) {
        tasks = layout.tasks.indices.map { TaskResult(raw.tasks[$0]) }
        var shares: [String: Double] = [:]
        for (row, name) in layout.channels.enumerated() {
            shares[name] = raw.coverage[row]
        }
        coverage = shares
        sensors = layout.sensors.indices.map { SensorState(raw.sensors[$0]) }
        embedding = copied(raw.embedding, layout.embedding)
        start = number(raw.start)
        end = number(raw.end)
        let count = layout.channels.count * layout.samples
        if let values = copied(raw.imputed, count), let seen = copied(raw.believed, count) {
            imputed = Imputed(values: values, observed: seen.map { $0 != 0 })
        } else {
            imputed = nil
        }
        model = layout.identity
    }
}

extension Verification {
    init(_ raw: onwrist_report, _ layout: Layout) {
        let differences = doubles(raw.difference)
        let stepDifferences = doubles(raw.step_difference)
        let count = min(Int(raw.output_count), layout.outputs.count)
        let stepped = raw.steps > 0
        let tolerances = raw.loose ? layout.looseTolerances : layout.tolerances
        outputs = (0..<count).map { output in
            Output(
                name: layout.outputs[output],
                difference: differences[output],
                stepDifference: stepped ? stepDifferences[output] : nil,
                tolerance: tolerances[output]
            )
        }
        windows = Int(raw.windows)
        steps = Int(raw.steps)
        passed = raw.passed
        loose = raw.loose
    }
}

extension Counters {
    init(_ raw: onwrist_counters) {
        samples = Int(raw.samples)
        late = Int(raw.late)
        duplicate = Int(raw.duplicate)
        repaired = Int(raw.repaired)
    }
}

/// An array of C, which is a tuple in Swift.
private func doubles<Tuple>(_ tuple: Tuple) -> [Double] {
    withUnsafeBytes(of: tuple) { Array($0.bindMemory(to: Double.self)) }
}
