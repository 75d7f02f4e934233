package androidx.health.services.client

import android.content.Context
import androidx.health.services.client.data.DataPointContainer
import androidx.health.services.client.data.PassiveListenerConfig
import java.util.concurrent.Future

class HealthServicesClient(val passiveMonitoringClient: PassiveMonitoringClient)

object HealthServices {
    fun getClient(context: Context): HealthServicesClient = TODO("$context")
}

interface PassiveListenerCallback {
    fun onNewDataPointsReceived(dataPoints: DataPointContainer) {}
}

interface PassiveMonitoringClient {
    fun setPassiveListenerCallback(config: PassiveListenerConfig, callback: PassiveListenerCallback)
    fun clearPassiveListenerCallbackAsync(): Future<Void>
}
