// Health's heart rate and steps in, minutes of a day out.

import Foundation
import HealthKit

/// One number at a moment, on the Unix epoch.
struct Moment: Sendable {
    let time: Double
    let value: Float
}

/// Samples for `day-lsm2`, in order of time.
struct DaySamples: Sendable {
    var steps: [Moment] = []
    var beats: [Moment] = []
}

struct Health {
    private let store = HKHealthStore()
    private let heartRate = HKQuantityType(.heartRate)
    private let stepCount = HKQuantityType(.stepCount)
    private let perMinute = HKUnit.count().unitDivided(by: .minute())

    static var isThere: Bool { HKHealthStore.isHealthDataAvailable() }

    /// The system asks once. It never tells an app whether reading was refused: refused and
    /// empty look the same.
    func ask() async throws {
        try await store.requestAuthorization(toShare: [], read: [heartRate, stepCount])
    }

    /// What lies in [start, end), whole minutes of the Unix epoch.
    func samples(from start: Double, to end: Double) async throws -> DaySamples {
        let interval = HKQuery.predicateForSamples(
            withStart: Date(timeIntervalSince1970: start), end: Date(timeIntervalSince1970: end))
        let found = try await HKSampleQueryDescriptor(
            predicates: [.quantitySample(type: heartRate, predicate: interval)],
            sortDescriptors: [SortDescriptor(\.startDate)]
        ).result(for: store)
        var samples = DaySamples()
        samples.beats = found.map { sample in
            Moment(
                time: sample.startDate.timeIntervalSince1970,
                value: Float(sample.quantity.doubleValue(for: perMinute)))
        }
        // Watch and phone both count: statistics count a step once, and split what was counted
        // over several minutes.
        let counted = try await HKStatisticsCollectionQueryDescriptor(
            predicate: .quantitySample(type: stepCount, predicate: interval),
            options: .cumulativeSum, anchorDate: Date(timeIntervalSince1970: start),
            intervalComponents: DateComponents(minute: 1)
        ).result(for: store)
        var minutes = [Float?](repeating: nil, count: Int((end - start) / 60))
        for statistics in counted.statistics() {
            let minute = Int((statistics.startDate.timeIntervalSince1970 - start) / 60)
            if minutes.indices.contains(minute), let sum = statistics.sumQuantity() {
                minutes[minute] = Float(sum.doubleValue(for: .count()))
            }
        }
        let worn = Health.worn(minutes, samples.beats, start)
        for minute in minutes.indices {
            // Health writes no 0: a minute without a record is one of sitting still if the
            // watch was worn, and says nothing otherwise.
            if let count = minutes[minute] ?? (worn[minute] ? 0 : nil) {
                samples.steps.append(Moment(time: start + 60 * Double(minute), value: count))
            }
        }
        return samples
    }

    /// Minutes but those in an hour or more without any heart rate and steps: nobody wore it.
    static func worn(_ steps: [Float?], _ beats: [Moment], _ start: Double) -> [Bool] {
        var there = steps.map { ($0 ?? 0) > 0 }
        for beat in beats {
            let minute = Int((beat.time - start) / 60)
            if there.indices.contains(minute) {
                there[minute] = true
            }
        }
        var worn = there
        var minute = 0
        while minute < there.count {
            var end = minute
            while end < there.count && !there[end] {
                end += 1
            }
            if end - minute < 60 && !beats.isEmpty {
                for quiet in minute..<end {
                    worn[quiet] = true
                }
            }
            minute = end + 1
        }
        return worn
    }

    /// Calls back whenever Health has something new.
    func whenNew(_ call: @escaping @Sendable () -> Void) {
        for type in [heartRate, stepCount] {
            let query = HKObserverQuery(sampleType: type, predicate: nil) { _, done, error in
                if error == nil {
                    call()
                }
                done()
            }
            store.execute(query)
        }
    }
}
