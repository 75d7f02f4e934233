package android.bluetooth.le

import android.bluetooth.BluetoothDevice
import android.os.ParcelUuid

class ScanFilter {
    class Builder {
        fun setServiceUuid(uuid: ParcelUuid): Builder = TODO("$uuid")
        fun build(): ScanFilter = TODO()
    }
}

class ScanSettings {
    class Builder {
        fun build(): ScanSettings = TODO()
    }
}

class ScanResult(val device: BluetoothDevice)

abstract class ScanCallback {
    open fun onScanResult(callbackType: Int, result: ScanResult) {}
    open fun onScanFailed(errorCode: Int) {}
}

class BluetoothLeScanner {
    fun startScan(filters: List<ScanFilter>, settings: ScanSettings, callback: ScanCallback): Unit =
        TODO("$filters $settings $callback")
    fun stopScan(callback: ScanCallback): Unit = TODO("$callback")
}
