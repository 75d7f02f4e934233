// Bytes of Polar's measurement service (PMD) in, samples of light and acceleration out.
//
// After the "Polar Measurement Data Specification for 3rd Party", which Polar publishes with
// its SDK. A data frame is: measurement type, eight bytes of the sensor's time in nanoseconds
// at its last sample, frame type (its highest bit says that samples are differences), samples.

import Foundation

enum Polar {
    static let service = "FB005C80-02E7-F387-1CAD-8ACD2D8DF0C8"
    static let control = "FB005C81-02E7-F387-1CAD-8ACD2D8DF0C8"
    static let data = "FB005C82-02E7-F387-1CAD-8ACD2D8DF0C8"

    enum Measurement: UInt8, CaseIterable, Sendable {
        case light = 1
        case acceleration = 2
    }

    /// Asks which rates and ranges the sensor offers.
    static func settingsRequest(_ measurement: Measurement) -> Data {
        Data([0x01, measurement.rawValue])
    }

    /// Starts a measurement with the first of each setting that it offers.
    static func startRequest(_ measurement: Measurement, _ settings: PolarSettings) -> Data {
        Data([0x02, measurement.rawValue]) + settings.chosen
    }
}

/// What a sensor answered to `settingsRequest`: rate, and what to start it with.
struct PolarSettings: Equatable, Sendable {
    /// Samples a second.
    let rate: Double
    /// The settings to start with, as the sensor wants them.
    let chosen: Data

    private static let widths: [UInt8: Int] = [0: 2, 1: 2, 2: 2, 3: 4, 4: 1, 5: 4]

    /// By what numbers are to be multiplied, which the answer to a start request may tell.
    static func factor(_ answer: Data) -> Float {
        let bytes = [UInt8](answer)
        var place = 5
        while place + 2 <= bytes.count {
            guard let width = widths[bytes[place]] else { break }
            let start = place + 2
            if bytes[place] == 5, start + width <= bytes.count {
                let raw = bytes[start..<(start + width)].reversed().reduce(UInt32(0)) {
                    $0 << 8 | UInt32($1)
                }
                return Float(bitPattern: raw)
            }
            place = start + Int(bytes[place + 1]) * width
        }
        return 1
    }

    /// Nil for an answer that is cut off or without a rate.
    init?(_ answer: Data, measurement: Polar.Measurement) {
        let bytes = [UInt8](answer)
        // Response, "settings", measurement, no error, no more frames.
        guard bytes.count > 5, bytes[0] == 0xF0, bytes[1] == 0x01,
            bytes[2] == measurement.rawValue, bytes[3] == 0
        else { return nil }
        var found: [UInt8: Int] = [:]
        var chosen = Data()
        var place = 5
        while place + 2 <= bytes.count {
            let kind = bytes[place]
            let count = Int(bytes[place + 1])
            guard let width = PolarSettings.widths[kind], count > 0,
                place + 2 + count * width <= bytes.count
            else { return nil }
            let first = bytes[(place + 2)..<(place + 2 + width)]
            found[kind] = first.reversed().reduce(0) { $0 << 8 | Int($1) }
            if kind != 5 {  // the factor is told, never chosen
                chosen.append(contentsOf: [kind, 1] + first)
            }
            place += 2 + count * width
        }
        guard let rate = found[0], rate > 0 else { return nil }
        self.rate = Double(rate)
        self.chosen = chosen
    }
}

/// One data frame.
struct Frame: Equatable, Sendable {
    let measurement: Polar.Measurement
    /// The sensor's clock at the last sample, seconds.
    let last: Double
    /// (samples, channels) as the sensor counts them.
    let samples: [[Int32]]

    /// Nil for a frame of another kind, or that is cut off.
    init?(_ data: Data) {
        let bytes = [UInt8](data)
        guard bytes.count > 10, let measurement = Polar.Measurement(rawValue: bytes[0])
        else { return nil }
        let stamp = bytes[1..<9].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let differences = bytes[9] & 0x80 != 0
        let body = Array(bytes[10...])
        // The frame types of Verity Sense and OH1: three lights and what comes from around
        // them, 24 bits each; three axes in thousandths of g, 16 bits.
        let channels: Int
        let width: Int
        switch (measurement, bytes[9] & 0x7F) {
        case (.light, 0):
            channels = 4
            width = 3
        case (.acceleration, 1):
            channels = 3
            width = 2
        default:
            return nil
        }
        let decoded =
            differences
            ? Frame.summed(body, channels, width) : Frame.plain(body, channels, width)
        guard let found = decoded, !found.isEmpty else { return nil }
        self.measurement = measurement
        last = Double(stamp) / 1e9
        samples = found
    }

    private static func plain(_ body: [UInt8], _ channels: Int, _ width: Int) -> [[Int32]]? {
        guard body.count % (channels * width) == 0 else { return nil }
        return stride(from: 0, to: body.count, by: channels * width).map { start in
            (0..<channels).map { signed(body, start + $0 * width, width) }
        }
    }

    /// A first sample, then blocks of differences: their bits, how many, and the bits, of each
    /// channel in turn, the lowest first.
    private static func summed(_ body: [UInt8], _ channels: Int, _ width: Int) -> [[Int32]]? {
        guard body.count >= channels * width else { return nil }
        var samples = [(0..<channels).map { signed(body, $0 * width, width) }]
        var place = channels * width
        while place + 2 <= body.count {
            let bits = Int(body[place])
            let count = Int(body[place + 1])
            place += 2
            let length = (count * bits * channels + 7) / 8
            guard (1...32).contains(bits), place + length <= body.count else { return nil }
            var bit = place * 8
            for _ in 0..<count {
                var next = samples[samples.count - 1]
                for channel in 0..<channels {
                    next[channel] &+= difference(body, bit, bits)
                    bit += bits
                }
                samples.append(next)
            }
            place += length
        }
        return samples
    }

    private static func signed(_ body: [UInt8], _ start: Int, _ width: Int) -> Int32 {
        let raw = body[start..<(start + width)].reversed().reduce(UInt32(0)) {
            $0 << 8 | UInt32($1)
        }
        let unused = UInt32(32 - 8 * width)
        return Int32(bitPattern: raw << unused) >> Int32(unused)
    }

    private static func difference(_ body: [UInt8], _ first: Int, _ bits: Int) -> Int32 {
        var raw: UInt32 = 0
        for bit in 0..<bits where body[(first + bit) / 8] >> UInt8((first + bit) % 8) & 1 != 0 {
            raw |= 1 << UInt32(bit)
        }
        let unused = UInt32(32 - bits)
        return Int32(bitPattern: raw << unused) >> Int32(unused)
    }
}

/// When the samples of a frame were taken: evenly between the last sample of the frame before
/// and that of this one, or at the nominal rate where frames are missing between them.
struct SampleTimes {
    private var before: Double?

    mutating func of(_ frame: Frame, rate: Double) -> [Double] {
        let count = Double(frame.samples.count)
        var period = 1 / rate
        if let before, frame.last > before {
            let measured = (frame.last - before) / count
            if abs(measured - period) < period / 5 {
                period = measured
            }
        }
        before = frame.last
        return frame.samples.indices.map { frame.last - (count - 1 - Double($0)) * period }
    }
}
