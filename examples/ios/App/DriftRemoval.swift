// Raw light of a sensor in, the same without what changes slower than a pulse out.
//
// The bundle learned from an Empatica E4, whose pulse signal comes without the constant light
// that skin gives back. Raw light is nearly all constant, and the model scales a window by its
// least and greatest value, so that a slow drift would flatten the pulse. A second-order
// Butterworth high-pass at 0.4 Hz (24 bpm) takes it out; which way the pulse points does not
// matter, the model was trained with both. That this suits your sensor is for you to check.

import Foundation

struct DriftRemoval {
    private let b: (Double, Double, Double)
    private let a: (Double, Double)
    private let longest: Double
    private var first = 0.0
    private var state = (0.0, 0.0)
    private var last: Double?

    /// - Parameter rate: samples a second.
    init(rate: Double) {
        let turn = 2 * Double.pi * 0.4 / rate
        let alpha = sin(turn) / 2.0.squareRoot()
        let gain = (1 + cos(turn)) / 2 / (1 + alpha)
        b = (gain, -2 * gain, gain)
        a = (-2 * cos(turn) / (1 + alpha), (1 - alpha) / (1 + alpha))
        longest = 1.5 / rate
    }

    /// One sample; after a gap the filter begins anew, as what it remembers is of before.
    mutating func without(_ value: Double, at time: Double) -> Float {
        if last.map({ time - $0 > longest }) ?? true {
            first = value
            state = (0, 0)
        }
        last = time
        let x = value - first
        let y = b.0 * x + state.0
        state = (b.1 * x - a.0 * y + state.1, b.2 * x - a.1 * y)
        return Float(y)
    }
}
