// Light and acceleration of a sensor in, heart rate and stress of wrist-himae out.

import Combine
import Foundation
import Onwrist
import WristHimae

@MainActor
final class WristResults: ObservableObject {
    @Published private(set) var prediction: Prediction?
    @Published private(set) var proof: Verification?
    @Published private(set) var message = "No sensor."
    @Published private(set) var staleness: [String: Double] = [:]
    @Published private(set) var beats: Double?

    private let link = SensorLink()
    private var model: Model?
    private var stream: SampleStream?
    private var listening: Task<Void, Never>?
    private var settings: [Polar.Measurement: PolarSettings] = [:]
    private var factors: [Polar.Measurement: Float] = [:]
    private var times: [Polar.Measurement: SampleTimes] = [:]
    private var clock = SensorClock()
    private var drift = DriftRemoval(rate: 55)
    private var ready = false

    /// Looks for a sensor. Its heart rate also goes to `day`.
    func start(_ day: DayResults) {
        guard listening == nil else { return }
        let link = self.link
        listening = Task { [weak self] in
            for await event in link.events {
                do {
                    try await self?.take(event, day)
                } catch {
                    self?.message = error.localizedDescription
                }
            }
        }
        link.start()
    }

    private func take(_ event: SensorEvent, _ day: DayResults) async throws {
        switch event {
        case .state(let text):
            message = text
        case .connected:
            settings = [:]
            times = [:]
            ready = false
        case .beats(let rate, let arrived):
            beats = rate
            day.add(beats: rate, boot: arrived)
        case .started(let measurement, let chosen, let factor):
            settings[measurement] = chosen
            factors[measurement] = factor
            times[measurement] = SampleTimes()
            if measurement == .light {
                drift = DriftRemoval(rate: chosen.rate)
            }
        case .ready:
            ready = true
        case .frame(let frame, let arrived):
            try await take(frame, arrived)
        case .lost:
            // The stream goes on: what is missing is a gap. Its clock decides when it is back.
            beats = nil
        }
    }

    private func take(_ frame: Frame, _ arrived: Double) async throws {
        // Rates are stated when the stream is made, so all of them must be known.
        guard ready, let chosen = settings[frame.measurement] else { return }
        let (boot, another) = clock.boot(sensor: frame.last, arrived: arrived)
        if another {
            await stream?.reset()
            times = [:]
        }
        var stamps = times[frame.measurement] ?? SampleTimes()
        let onSensor = stamps.of(frame, rate: chosen.rate)
        times[frame.measurement] = stamps
        let onBoot = onSensor.map { $0 - frame.last + boot }
        let stream = try await opened()
        let given: [Prediction]
        switch frame.measurement {
        case .light:
            // Three lights, and what comes from around them: their mean less that. Lighter or
            // darker with each beat is the same to the model.
            var light: [Float] = []
            for (sample, time) in zip(frame.samples, onBoot) {
                let sum = Double(sample[0]) + Double(sample[1]) + Double(sample[2])
                light.append(drift.without(sum / 3 - Double(sample[3]), at: time))
            }
            given = try await stream.push(
                WristHimae.Sensor.ppg.rawValue, times: onBoot, samples: light)
        case .acceleration:
            // In thousandths of g. The axes are the sensor's own, not those of an Empatica E4:
            // nothing turns one into the other without knowing how both are worn.
            let unit = (factors[.acceleration] ?? 1) / 1000
            let axes = frame.samples.joined().map { Float($0) * unit }
            given = try await stream.push(
                WristHimae.Sensor.acc.rawValue, times: onBoot, samples: axes)
        }
        prediction = given.last ?? prediction
        staleness = await stream.staleness
    }

    /// The stream, once the model gave the golden numbers on this phone.
    private func opened() async throws -> SampleStream {
        if let stream { return stream }
        let model = try WristHimae.load()
        let verification = try await model.verify()
        proof = verification
        guard verification.passed else {
            throw OnwristError.parity(
                "TensorFlow Lite does not give the golden numbers of wrist-himae on this phone.")
        }
        var options = StreamOptions()
        // The sensor's rates, where they are not those of the E4.
        if let light = settings[.light] {
            options.rates["ppg"] = light.rate
        }
        if let acceleration = settings[.acceleration] {
            for axis in ["acc_x", "acc_y", "acc_z"] {
                options.rates[axis] = acceleration.rate
            }
        }
        let made = try model.stream(options)
        self.model = model
        stream = made
        return made
    }
}
