package androidx.health.connect.client

import android.content.Context
import androidx.activity.result.contract.ActivityResultContract
import androidx.health.connect.client.records.Record
import androidx.health.connect.client.request.ReadRecordsRequest
import androidx.health.connect.client.response.ReadRecordsResponse

interface HealthConnectClient {
    suspend fun <T : Record> readRecords(request: ReadRecordsRequest<T>): ReadRecordsResponse<T>

    companion object {
        const val SDK_AVAILABLE = 3

        fun getSdkStatus(context: Context): Int = TODO("$context")
        fun getOrCreate(context: Context): HealthConnectClient = TODO("$context")
    }
}

interface PermissionController {
    companion object {
        fun createRequestPermissionResultContract(): ActivityResultContract<Set<String>, Set<String>> = TODO()
    }
}
