// Bytes of Bluetooth's heart rate measurement (0x2A37) in, beats per minute out.

import Foundation

/// Beats per minute; nil for a value that says nothing: none, or a strap that touches no skin.
func heartRate(_ data: Data) -> Double? {
    let bytes = [UInt8](data)
    guard let flags = bytes.first else { return nil }
    let wide = flags & 0x01 != 0
    let tellsContact = flags & 0x04 != 0
    let touches = flags & 0x02 != 0
    if tellsContact && !touches {
        return nil
    }
    guard bytes.count >= (wide ? 3 : 2) else { return nil }
    let beats = wide ? Int(bytes[1]) | Int(bytes[2]) << 8 : Int(bytes[1])
    return (30...220).contains(beats) ? Double(beats) : nil
}
