// A sensor over Bluetooth in, its heart rate, light and acceleration as events out.

import CoreBluetooth
import Foundation

/// What a sensor sent; `arrived` is the boot clock when it came.
enum SensorEvent: Sendable {
    /// For the screen: what happens, or what to do.
    case state(String)
    case connected
    case beats(Double, arrived: Double)
    /// Numbers of its frames are to be multiplied by `factor`.
    case started(Polar.Measurement, PolarSettings, factor: Float)
    /// Every measurement that there is was started.
    case ready
    case frame(Frame, arrived: Double)
    case lost
}

/// Looks for a sensor with the heart rate service, stays with it, and asks it for light and
/// acceleration if it has Polar's measurement service.
final class SensorLink: NSObject, @unchecked Sendable {
    let events: AsyncStream<SensorEvent>

    private let send: AsyncStream<SensorEvent>.Continuation
    // Core Bluetooth calls back on this queue alone, and nothing else touches what is below.
    private let queue = DispatchQueue(label: "sensor")
    private var central: CBCentralManager?
    private var sensor: CBPeripheral?
    private var control: CBCharacteristic?
    private var asked: [Polar.Measurement] = []
    private var offered: PolarSettings?

    private let heartRateService = CBUUID(string: "180D")
    private let heartRateMeasurement = CBUUID(string: "2A37")

    override init() {
        let made = AsyncStream.makeStream(
            of: SensorEvent.self, bufferingPolicy: .bufferingNewest(1024))
        events = made.stream
        send = made.continuation
        super.init()
    }

    /// Asks for Bluetooth and begins to look; the system asks the user the first time.
    func start() {
        queue.async { [self] in
            guard central == nil else { return }
            central = CBCentralManager(delegate: self, queue: queue)
        }
    }

    func stop() {
        queue.async { [self] in
            if let sensor { central?.cancelPeripheralConnection(sensor) }
            central?.stopScan()
            central = nil
            sensor = nil
            send.yield(.state("Stopped."))
        }
    }

    private func ask(_ measurements: [Polar.Measurement]) {
        asked = measurements
        askNext()
    }

    private func askNext() {
        guard let control else { return }
        guard let next = asked.first else {
            send.yield(.ready)
            return
        }
        sensor?.writeValue(
            Polar.settingsRequest(next), for: control, type: .withResponse)
    }
}

extension SensorLink: CBCentralManagerDelegate {
    func centralManagerDidUpdateState(_ central: CBCentralManager) {
        switch central.state {
        case .poweredOn:
            send.yield(.state("Looking for a heart rate sensor."))
            central.scanForPeripherals(withServices: [heartRateService])
        case .unauthorized:
            send.yield(.state("Bluetooth is not allowed: allow it in Settings, Privacy."))
        case .poweredOff:
            send.yield(.state("Bluetooth is off: switch it on."))
        case .unsupported:
            send.yield(.state("This device has no Bluetooth Low Energy."))
        default:
            break
        }
    }

    func centralManager(
        _ central: CBCentralManager, didDiscover peripheral: CBPeripheral,
        advertisementData: [String: Any], rssi: NSNumber
    ) {
        central.stopScan()
        sensor = peripheral
        peripheral.delegate = self
        send.yield(.state("Connecting to \(peripheral.name ?? "a sensor")."))
        central.connect(peripheral)
    }

    func centralManager(_ central: CBCentralManager, didConnect peripheral: CBPeripheral) {
        send.yield(.connected)
        send.yield(.state("Connected to \(peripheral.name ?? "a sensor")."))
        peripheral.discoverServices([heartRateService, CBUUID(string: Polar.service)])
    }

    func centralManager(
        _ central: CBCentralManager, didFailToConnect peripheral: CBPeripheral, error: Error?
    ) {
        lost(central, peripheral)
    }

    func centralManager(
        _ central: CBCentralManager, didDisconnectPeripheral peripheral: CBPeripheral,
        error: Error?
    ) {
        lost(central, peripheral)
    }

    /// A connection without end: it is made as soon as the sensor is in reach again.
    private func lost(_ central: CBCentralManager, _ peripheral: CBPeripheral) {
        control = nil
        asked = []
        send.yield(.lost)
        send.yield(.state("The sensor is out of reach; waiting for it."))
        central.connect(peripheral)
    }
}

extension SensorLink: CBPeripheralDelegate {
    func peripheral(_ peripheral: CBPeripheral, didDiscoverServices error: Error?) {
        for service in peripheral.services ?? [] {
            peripheral.discoverCharacteristics(nil, for: service)
        }
    }

    func peripheral(
        _ peripheral: CBPeripheral, didDiscoverCharacteristicsFor service: CBService,
        error: Error?
    ) {
        for characteristic in service.characteristics ?? [] {
            switch characteristic.uuid {
            case heartRateMeasurement, CBUUID(string: Polar.data):
                peripheral.setNotifyValue(true, for: characteristic)
            case CBUUID(string: Polar.control):
                control = characteristic
                peripheral.setNotifyValue(true, for: characteristic)
            default:
                break
            }
        }
    }

    func peripheral(
        _ peripheral: CBPeripheral, didUpdateNotificationStateFor characteristic: CBCharacteristic,
        error: Error?
    ) {
        // Answers are heard from now on, so questions can be asked.
        if characteristic.uuid == CBUUID(string: Polar.control), characteristic.isNotifying {
            ask(Polar.Measurement.allCases)
        }
    }

    func peripheral(
        _ peripheral: CBPeripheral, didUpdateValueFor characteristic: CBCharacteristic,
        error: Error?
    ) {
        let arrived = BootClock.now
        guard let value = characteristic.value, error == nil else { return }
        switch characteristic.uuid {
        case heartRateMeasurement:
            if let beats = heartRate(value) {
                send.yield(.beats(beats, arrived: arrived))
            }
        case CBUUID(string: Polar.data):
            if let frame = Frame(value) {
                send.yield(.frame(frame, arrived: arrived))
            }
        case CBUUID(string: Polar.control):
            answered(value)
        default:
            break
        }
    }

    private func answered(_ value: Data) {
        guard let control, let next = asked.first, value.count > 3, value[0] == 0xF0 else {
            return
        }
        if value[1] == 0x01, let settings = PolarSettings(value, measurement: next) {
            offered = settings
            sensor?.writeValue(
                Polar.startRequest(next, settings), for: control, type: .withResponse)
            return
        }
        if value[3] != 0 {
            send.yield(.state("The sensor does not give \(next): error \(value[3])."))
        } else if value[1] == 0x02, let offered {
            send.yield(.started(next, offered, factor: PolarSettings.factor(value)))
        }
        asked.removeFirst()
        askNext()
    }
}
