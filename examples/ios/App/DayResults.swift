// Minutes of the last day from Health and from a strap in, what day-lsm2 says of them out.
//
// Health is the memory: each time the last 24 hours are read and computed anew, so records
// that a watch delivers an hour late, a change of time zone and a wall clock that was set need
// no care of their own.

import Combine
import DayLsm2
import Foundation
import Onwrist

@MainActor
final class DayResults: ObservableObject {
    @Published private(set) var prediction: Prediction?
    @Published private(set) var proof: Verification?
    @Published private(set) var message = "Not read yet."

    private let health = Health()
    private var model: Model?
    private var clock = PinnedClock()
    private var strap: [(boot: Double, rate: Float)] = []
    private var allowed = false
    private var busy = false

    init() {
        for name in [Notification.Name.NSSystemClockDidChange, .NSSystemTimeZoneDidChange] {
            NotificationCenter.default.addObserver(forName: name, object: nil, queue: .main) {
                [weak self] _ in
                Task { @MainActor [weak self] in
                    self?.clock = PinnedClock()
                    await self?.refresh()
                }
            }
        }
    }

    /// Asks for Health and reads it from then on.
    func start() async {
        guard Health.isThere else {
            message = "This device has no Health data."
            return
        }
        do {
            try await health.ask()
            allowed = true
            health.whenNew { [weak self] in
                Task { @MainActor [weak self] in await self?.refresh() }
            }
            await refresh()
        } catch {
            message = error.localizedDescription
        }
    }

    /// A heart rate of the strap, stamped by the boot clock when it came.
    func add(beats: Double, boot: Double) {
        strap.append((boot, Float(beats)))
        if let first = strap.first, boot - first.boot > 90_000 {
            strap.removeAll { boot - $0.boot > 86_400 }
        }
    }

    func refresh() async {
        guard allowed, !busy else { return }
        busy = true
        defer { busy = false }
        do {
            let model = try await proven()
            let end = (clock.now / 60).rounded(.down) * 60
            let start = end - 86_400
            var samples = try await health.samples(from: start, to: end)
            for beat in strap {
                let time = clock.unix(boot: beat.boot)
                if time >= start && time < end {
                    samples.beats.append(Moment(time: time, value: beat.rate))
                }
            }
            samples.beats.sort { $0.time < $1.time }
            guard !samples.beats.isEmpty || !samples.steps.isEmpty else {
                prediction = nil
                message =
                    "Health has no heart rate and no steps of the last day, or this app may not "
                    + "read them: Settings, Health, Data Access & Devices."
                return
            }
            prediction = try await DayResults.predict(
                model, samples, start, end, clock.midnight(before: end))
            message = ""
        } catch {
            message = error.localizedDescription
        }
    }

    /// The model, once it gave the golden numbers on this phone.
    private func proven() async throws -> Model {
        if let model { return model }
        let opened = try DayLsm2.load()
        let verification = try await opened.verify()
        proof = verification
        guard verification.passed else {
            throw OnwristError.parity(
                "TensorFlow Lite does not give the golden numbers of day-lsm2 on this phone.")
        }
        model = opened
        return opened
    }

    /// Goes through the day in steps of ten minutes, so that no sensor runs ahead of another
    /// by more than the lateness.
    private nonisolated static func predict(
        _ model: Model, _ samples: DaySamples, _ start: Double, _ end: Double,
        _ midnight: Double
    ) async throws -> Prediction? {
        var options = StreamOptions()
        options.lateness = 600
        options.midnight = midnight
        let stream = try model.stream(options)
        var last: Prediction?
        var (steps, beats) = (samples.steps[...], samples.beats[...])
        for begin in stride(from: start, to: end, by: 600) {
            let walked = steps.prefix { $0.time < begin + 600 }
            let beaten = beats.prefix { $0.time < begin + 600 }
            steps = steps.dropFirst(walked.count)
            beats = beats.dropFirst(beaten.count)
            let first = try await stream.push(
                DayLsm2.Sensor.steps.rawValue, times: walked.map(\.time),
                samples: walked.map(\.value))
            let second = try await stream.push(
                DayLsm2.Sensor.heartRate.rawValue, times: beaten.map(\.time),
                samples: beaten.map(\.value))
            last = second.last ?? first.last ?? last
        }
        return try await stream.flush(atLeastOne: true).last ?? last
    }
}
